"""Apache Kafka: the wire protocol of brokers, clients and controllers, versions 0.8 to 4.5."""
