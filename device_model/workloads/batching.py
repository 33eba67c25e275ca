"""What a language model server works on next: who is admitted, prefilled, decoded or preempted, counted in steps."""

from collections import deque
from typing import Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from device_model.workloads.cost.decoder import context_bucket
from device_model.workloads.kv_cache import KvCache

Phase = Literal["prefill", "decode", "mixed"]


class Rules(NamedTuple):
    """How requests become batches of at most `places` sequences, each of at most `context` tokens.

    Without `wait_ns` batching is continuous: who waits is admitted as soon as there is room. With it batching is
    static: a batch begins when it is full or its oldest request has waited so long, and nobody joins it. With `chunk`
    prompts are computed so many tokens a step beside the sequences that are decoded, without it in steps of their own.
    """

    places: int
    context: int
    wait_ns: int | None = None
    chunk: int = 0


# Thousands of the following are made in a simulated hour, and a Struct takes a quarter of a NamedTuple's time.


class Request(Struct, frozen=True):
    """A request as it arrived: lengths in tokens. `generated` is what it had of its answer when it was preempted."""

    number: int
    arrived_ns: int
    prompt: int
    output: int
    generated: int = 0
    preempted: bool = False

    @property
    def tokens(self) -> int:
        """What its prefill computes: all that comes before the token which that yields."""
        return self.prompt + self.generated


class Prompt(Struct, frozen=True):
    """An admitted request whose first `computed` tokens are in the cache."""

    request: Request
    computed: int = 0


class Sequence(Struct, frozen=True):
    """A request that is decoded. Every decode step of the batch gives each one token, so it is described by steps.

    After the batch's step number s it has `offset + s` tokens in the cache; its answer is complete after `last_step`.
    """

    request: Request
    offset: int
    last_step: int


class Plan(Struct, frozen=True):
    """Equal steps to execute, and the graph for them: it is compiled for powers of two, up to the server's sizes.

    `sequences` (in a prefill: prompts) have up to `context` tokens. In a mixed step, which may have no sequence, the
    chunk attends to `keys` positions of prompts.
    """

    phase: Phase
    steps: int
    sequences: int
    context: int
    keys: int = 0


class Progress(Struct, frozen=True):
    """What steps brought: requests whose prefill is complete, those whose answer is, and tokens of answers."""

    prefilled: list[Request]
    finished: list[Request]
    generated: int


class Batch:
    """The requests of one server, each in one place: waiting, a prompt that is computed, or a decoded sequence.

    In all three the order is that of arrival, since who came last is preempted and waits again before all others. So
    who came first is never preempted, and as its context alone fits into the cache, every request is complete some day.
    """

    def __init__(self, rules: Rules, cache: KvCache) -> None:
        self.waiting: deque[Request] = deque()
        self.prompts: list[Prompt] = []
        self.sequences: list[Sequence] = []
        self.finished = 0
        """Places of a static batch whose answer is complete: they are free, and cost nothing less, when it ends."""
        self.step = 0
        self.preempted = 0
        self._longest_finished = 0
        self._rules = rules
        self._cache = cache
        self._ample = cache.holds(rules.places, rules.context)
        self._sizes = [0, *[min(rules.places, context_bucket(count)) for count in range(1, rules.places + 1)]]

    @property
    def admitted(self) -> int:
        """Requests in work."""
        return len(self.prompts) + len(self.sequences)

    @property
    def free_places(self) -> int:
        """Places that requests can take when the step under way ends; a static batch has none until it is through."""
        admitted = len(self.prompts) + len(self.sequences)
        return 0 if admitted and self._rules.wait_ns is not None else self._rules.places - admitted

    @property
    def due_ns(self) -> int | None:
        """When a static batch begins even though it is not full; None while nobody waits for that."""
        if self._rules.wait_ns is None or not self.waiting:
            return None
        return self.waiting[0].arrived_ns + self._rules.wait_ns

    @property
    def last_may_join(self) -> bool:
        """Whether the end of the step under way may admit who came last: nobody waits before it, for memory say."""
        return len(self.waiting) == 1 and self.free_places > 0

    def lengths(self) -> list[int]:
        """Tokens of each sequence in the cache after the last step that ended."""
        return [sequence.offset + self.step for sequence in self.sequences]

    def cached_tokens(self, plan: Plan | None, steps: int) -> int:
        """Tokens of admitted requests in the cache after `steps`, not all, of the plan under way."""
        in_chunks = steps * self._rules.chunk if plan is not None and plan.phase == "mixed" else 0
        of_prompts = sum([prompt.computed for prompt in self.prompts])
        return in_chunks + of_prompts + sum(self.lengths()) + steps * len(self.sequences)

    def admit(self, time_ns: int) -> None:
        """Admits, between two steps, who may begin at `time_ns`."""
        waiting = self.waiting
        if not waiting:
            return
        free, due_ns = self.free_places, self.due_ns
        if due_ns is not None and time_ns < due_ns and len(waiting) < free:
            return
        while waiting and free > 0 and self._fits(waiting[0]):
            self.prompts.append(Prompt(waiting.popleft()))
            free -= 1

    def _fits(self, request: Request) -> bool:
        """Whether the cache has blocks for a request's tokens and the next one.

        One that was preempted needs besides a block for every other, or it would soon be preempted again.
        """
        if self._ample:
            return True
        blocks = self._cache.blocks_of(request.tokens + 1) + (self.admitted if request.preempted else 0)
        held = self._blocks_of_prompts() + sum([self._cache.blocks_of(length) for length in self.lengths()])
        return held + blocks <= self._cache.blocks

    def _blocks_of_prompts(self) -> int:
        return sum([self._cache.blocks_of(prompt.request.tokens + 1) for prompt in self.prompts])

    def plan(self) -> Plan | None:
        """The next steps, all of one cost; None when nobody is admitted.

        Where the cache has no room for one more token of every sequence, who came last is preempted until it has.
        """
        if self.prompts and not self._rules.chunk:
            longest = max([prompt.request.tokens for prompt in self.prompts])
            return Plan("prefill", 1, self._sizes[len(self.prompts)], self._bucket(longest))
        if self.sequences:
            decode = self._decode()
            return self._beside(decode) if self.prompts else decode
        return self._beside(Plan("decode", self._rules.context, 0, 0)) if self.prompts else None

    def _bucket(self, tokens: int) -> int:
        bucket, context = context_bucket(tokens), self._rules.context
        return bucket if bucket < context else context

    def _decode(self) -> Plan:
        """Until the first answer is complete, the longest sequence outgrows its bucket, or a block is missing."""
        while True:
            longest = max([sequence.offset for sequence in self.sequences]) + self.step
            bucket = self._bucket(max(longest + 1, self._longest_finished))
            left = min([sequence.last_step for sequence in self.sequences]) - self.step
            steps = min(left, bucket - longest)
            if not self._ample:
                steps = self._cache.steps(self.lengths(), self._blocks_of_prompts(), steps)
            if steps:
                return Plan("decode", steps, self._sizes[len(self.sequences) + self.finished], bucket)
            self._preempt()

    def _beside(self, decode: Plan) -> Plan:
        """The same with a chunk of prompts in each step: as many steps as take a whole chunk of one prompt, or one."""
        chunk, prompt = self._rules.chunk, self.prompts[0]
        whole = (prompt.request.tokens - prompt.computed) // chunk
        if not whole:
            keys = self._bucket(max(chunk, self._reached()))
            return Plan("mixed", 1, decode.sequences, decode.context, keys)
        reached = prompt.computed + chunk
        keys = self._bucket(reached)
        steps = min(decode.steps, whole, 1 + (keys - reached) // chunk)
        return Plan("mixed", steps, decode.sequences, decode.context, keys)

    def _reached(self) -> int:
        """How far a chunk that several prompts share gets into one of them at most."""
        left, furthest = self._rules.chunk, 0
        for prompt in self.prompts:
            taken = min(left, prompt.request.tokens - prompt.computed)
            if not taken:
                break
            left, furthest = left - taken, max(furthest, prompt.computed + taken)
        return furthest

    def _preempt(self) -> None:
        """Who came last gives back its blocks and waits again; what it has generated is computed with its prompt."""
        if self.prompts:
            request = self.prompts.pop().request
        else:
            sequence = self.sequences.pop()
            request = sequence.request
            request = replace(request, generated=sequence.offset + self.step - request.prompt)
        self.waiting.appendleft(replace(request, preempted=True))
        self.preempted += 1

    def complete(self, plan: Plan, steps: int) -> Progress:
        """Takes note that `steps` of a plan have been executed: all, or the first of them where it was cut short."""
        generated = 0
        if plan.phase != "prefill":
            self.step += steps
            generated = steps * len(self.sequences)
        if not self.prompts:
            return Progress([], self._leave(), generated)
        prefilled, step = self._prefilled(plan, steps), self.step
        for request in prefilled:
            last_step = step + request.output - request.generated - 1
            self.sequences.append(Sequence(request, request.tokens + 1 - step, last_step))
        return Progress(prefilled, self._leave(), generated + len(prefilled))

    def lose(self, plan: Plan) -> list[Request]:
        """Takes out the requests that a plan is about: a step of it has failed."""
        lost = [prompt.request for prompt in self.prompts]
        self.prompts = []
        if plan.phase != "prefill":
            lost = [*[sequence.request for sequence in self.sequences], *lost]
            self.sequences = []
            self.finished = self._longest_finished = 0
        return lost

    def _prefilled(self, plan: Plan, steps: int) -> list[Request]:
        """Computes prompts, first come first served, and takes out those that are complete."""
        if plan.phase == "prefill":
            complete = [prompt.request for prompt in self.prompts]
            self.prompts = []
            return complete
        complete, left = [], steps * self._rules.chunk
        while left and self.prompts:
            prompt = self.prompts[0]
            taken = min(left, prompt.request.tokens - prompt.computed)
            left -= taken
            if prompt.computed + taken == prompt.request.tokens:
                complete.append(self.prompts.pop(0).request)
            else:
                self.prompts[0] = Prompt(prompt.request, prompt.computed + taken)
        return complete

    def _leave(self) -> list[Request]:
        """Takes out the sequences whose answer is complete. In a static batch their place stays, and what it costs."""
        step = self.step
        finished = [sequence for sequence in self.sequences if sequence.last_step == step]
        if not finished:
            return []
        self.sequences = [sequence for sequence in self.sequences if sequence.last_step > step]
        if not self.sequences:
            self.finished = self._longest_finished = 0
        elif self._rules.wait_ns is not None:
            self.finished += len(finished)
            self._longest_finished = max(self._longest_finished, *[each.offset + step for each in finished])
        return [sequence.request for sequence in finished]
