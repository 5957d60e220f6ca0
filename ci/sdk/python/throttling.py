"""An account that has used up its requests of the minute is told so in a way that each SDK understands.

    throttling.py old|new|new-v1

The environment is that of acceptance.py, but for the other account; the switch allows fewer than 50 requests a minute.
"""

import os
import sys

from alibabacloud_tea_openapi.exceptions import ThrottlingException
from clients import CLIENTS
from expect import equal


def main():
    if sys.argv[1:2] == [] or sys.argv[1] not in CLIENTS:
        sys.exit(__doc__)
    env = os.environ
    key = (env["ALIBABA_CLOUD_ACCESS_KEY_ID"], env["ALIBABA_CLOUD_ACCESS_KEY_SECRET"])
    api = CLIENTS[sys.argv[1]](env["VSWITCH_ENDPOINT"], env["VSWITCH_REGION"], *key)
    for done in range(50):
        try:
            api.get_traffic_mirror_service_status()
        except api.error as error:
            assert done > 0, "not even one request is allowed"
            if sys.argv[1] == "old":
                equal(api.refusal(error).code, "Throttling.User")
            else:
                equal((type(error), error.code), (ThrottlingException, "Throttling.User"))
                assert 0 < error.retry_after <= 60, error.retry_after
            print(f"{sys.argv[1]}: throttled after {done} requests")
            return
    sys.exit("50 requests, and none was refused")


if __name__ == "__main__":
    main()
