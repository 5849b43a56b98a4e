"""One Hypothesis profile for all tests: the same examples on every run, and no clock; one thread for BLAS."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: on a busy machine a second thread only waits

from hypothesis import HealthCheck, Phase, settings  # noqa: E402

settings.register_profile("chainrule", derandomize=True, deadline=None, max_examples=40, print_blob=False,
                          phases=(Phase.explicit, Phase.generate, Phase.shrink),
                          suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
settings.load_profile("chainrule")
