"""How soon the head of a Ray cluster takes a machine for dead, as the how-to and the images have it."""

from __future__ import annotations

# A machine that is killed is known to be after three seconds, one that is silent after eight; two seconds for an
# answer, since a machine whose cores all train may take more than one.
HEALTH = {
    "RAY_health_check_initial_delay_ms": "0",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_health_check_failure_threshold": "3",
}
