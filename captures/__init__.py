"""Middle floor: files -> packets -> streams -> messages -> requests. No terminal."""
import os

# numpy's linear algebra is not used here, and starting its threads is a good part of the time that loading numpy takes
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
