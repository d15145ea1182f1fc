"""Apache RocketMQ: the remoting protocol of name servers, brokers, controllers and clients, and the replication of brokers (HA)."""
