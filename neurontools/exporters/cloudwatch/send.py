"""Sends what waits in the spool: again and again while the service cannot be reached, once what it will never take."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol

from neurontools.exporters.cloudwatch.datum import Datum
from neurontools.exporters.cloudwatch.requests import member, problem_of
from neurontools.exporters.cloudwatch.spool import Batch, Spool

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
_CONNECT_S, _READ_S = 5, 10
_LOOK_AGAIN_S = 0.02

_NEVER = frozenset(
    {
        "InvalidFormat",
        "InvalidFormatFault",
        "InvalidParameterCombination",
        "InvalidParameterCombinationException",
        "InvalidParameterValue",
        "InvalidParameterValueException",
        "MissingParameter",
        "MissingRequiredParameterException",
        "RequestEntityTooLarge",
        "ValidationError",
    }
)
"""Error codes of requests that are wrong in themselves; all others may pass: an outage, throttling, a missing right."""


class Client(Protocol):
    """The one call of boto3's CloudWatch client that is used."""

    def put_metric_data(self, *, Namespace: str, MetricData: list[dict[str, Any]]) -> Any:  # noqa: N803 (boto3's names)
        """Publishes data."""
        ...


class SendError(Exception):
    """A request failed; `final` when the same request will always fail."""

    def __init__(self, reason: str, final: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.final = final


class SetUpError(Exception):
    """There is no client to send with; the text says why, in one line."""


def make_client(region: str | None, profile: str | None, endpoint_url: str | None) -> Client:
    """A CloudWatch client that does not retry by itself. Raises SetUpError."""
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, NoRegionError
    except ImportError:
        raise SetUpError("boto3 is missing: pip install 'neurontools[cloudwatch]'") from None
    config = Config(connect_timeout=_CONNECT_S, read_timeout=_READ_S, retries={"total_max_attempts": 1})
    try:
        session = boto3.Session(profile_name=profile, region_name=region)
        client: Client = session.client("cloudwatch", endpoint_url=endpoint_url, config=config)
    except NoRegionError:
        raise SetUpError("no region is known: name it with --region or AWS_REGION") from None
    except (BotoCoreError, ValueError) as error:
        raise SetUpError(_one_line(error)) from None
    return client


def send(client: Client, namespace: str, data: list[Datum]) -> None:
    """Publishes data in one request. Raises SendError."""
    from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

    try:
        client.put_metric_data(Namespace=namespace, MetricData=[member(datum) for datum in data])
    except ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        raise SendError(_one_line(error), code in _NEVER) from None
    except ParamValidationError as error:
        raise SendError(_one_line(error), True) from None
    except BotoCoreError as error:
        raise SendError(_one_line(error), False) from None


class Sender:
    """Empties a spool, in a thread of its own. `say` takes a line for people.

    An outage is told once when it begins and once when it is over.
    """

    def __init__(
        self,
        spool: Spool,
        client: Client,
        say: Callable[[str], None],
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._spool = spool
        self._client = client
        self._say = say
        self._chance = chance
        self._wake = threading.Event()
        self._failures = 0

    def start(self) -> None:
        """Begins to send in the background; the thread never keeps the process alive."""
        threading.Thread(target=self._run, name="sender", daemon=True).start()

    def wake(self) -> None:
        """There is something to send."""
        self._wake.set()

    def drain(self, most_s: float) -> bool:
        """Waits until nothing waits any more, at most so long; whether that came about."""
        end_s = time.monotonic() + most_s
        while self._spool.waiting_bytes and time.monotonic() < end_s:
            self.wake()
            time.sleep(_LOOK_AGAIN_S)
        return not self._spool.waiting_bytes

    def send_waiting(self) -> float:
        """Sends what waits; returns in how many seconds to try again, 0 when nothing waits any more."""
        while (batch := self._spool.oldest()) is not None:
            try:
                self._send(batch)
            except SendError as error:
                if not self._failures:
                    self._say(f"cannot send to CloudWatch, what is measured meanwhile is kept on disk: {error.reason}")
                self._failures += 1
                return self._wait_s()
            self._spool.done(batch.name)
            if self._failures:
                self._say(f"CloudWatch takes data again, after {self._failures} attempts that failed")
                self._failures = 0
        return 0.0

    def _run(self) -> None:
        while True:
            wait_s = self.send_waiting()
            if wait_s:
                time.sleep(wait_s)
            else:
                self._wake.wait()
                self._wake.clear()

    def _wait_s(self) -> float:
        """Twice as long each time, and by chance somewhere below that: hosts that failed together come back apart."""
        most = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** min(self._failures - 1, 10))
        return max(0.1, most * self._chance())

    def _send(self, batch: Batch) -> None:
        """Raises SendError where it is worth another try; what will never be taken is told and left out."""
        namespace, data = batch.stored.namespace, batch.stored.data
        now_s = int(time.time())
        problems = [problem_of(datum, now_s) for datum in data]
        for problem, count in Counter(filter(None, problems)).items():
            self._say(f"left out {count} data of {len(data)}: {problem}")
        fit = [datum for datum, problem in zip(data, problems, strict=True) if not problem]
        if not fit:
            return
        try:
            send(self._client, namespace, fit)
        except SendError as error:
            if not error.final:
                raise
            self._say(f"CloudWatch refuses {len(fit)} data for good: {error.reason}")
            self._spool.refuse(batch.name)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
