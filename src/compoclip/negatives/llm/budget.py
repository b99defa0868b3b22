"""What replies cost, and the cap on it."""

from __future__ import annotations

from typing import Any

from compoclip.negatives.llm.answers import prompt_tokens


class Budget:
    """US dollars spent, and set aside for requests under way. Without prices everything costs nothing."""

    def __init__(self, price_in: float | None, price_out: float | None, budget: float | None = None) -> None:
        self.price_in, self.price_out, self.budget = price_in or 0.0, price_out or 0.0, budget
        self.priced = price_in is not None or price_out is not None
        self.total, self.reserved = 0.0, 0.0
        self.holds = 0  # requests that something is set aside for
        self._more = 1.0  # tokens a prompt has for each that was estimated, at most, so far

    def most(self, body: dict[str, Any]) -> float:
        """What a request may cost: its prompt by the estimate, and all the tokens a reply may have."""
        limit = body.get("max_tokens") or body.get("max_completion_tokens") or 0
        return self._cost(self._more * prompt_tokens(body), limit)

    def reserve(self, amount: float) -> bool:
        """Set an amount aside for a request; False where the budget does not have it."""
        if self.budget is not None and self.total + self.reserved + amount > self.budget:
            return False
        self.reserved += amount
        self.holds += 1
        return True

    def release(self, amount: float) -> None:
        self.holds -= 1
        self.reserved = self.reserved - amount if self.holds else 0.0  # sums of floats do not come back to 0

    def add(self, tokens_in: int, tokens_out: int, body: dict[str, Any] | None = None) -> None:
        """Count a reply. `body`: its request, from which later estimates are bettered."""
        estimate = prompt_tokens(body) if body is not None else 0
        if estimate:
            self._more = max(self._more, tokens_in / estimate)
        self.total += self._cost(tokens_in, tokens_out)

    def _cost(self, tokens_in: float, tokens_out: float) -> float:
        return (tokens_in * self.price_in + tokens_out * self.price_out) / 1e6

    def __str__(self) -> str:
        if not self.priced:
            return ""
        return dollars(self.total) + (f" of {dollars(self.budget)}" if self.budget is not None else "")


def dollars(amount: float) -> str:
    return f"${amount:.2f}" if amount >= 1 or not amount else f"${amount:.3g}"
