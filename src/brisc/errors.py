"""How bad input is told: one line that says what, where, got, expected and how to mend."""


class InputError(Exception):
    """Input that cannot be used. Stages print it without a traceback and exit with 1."""

    def __init__(self, what: str, *, where: object, got: object, expected: object, mend: str) -> None:
        super().__init__(f"{where}: {what}: got {got}, expected {expected}. {mend}")


class InputErrors(Exception):
    """Several independent problems found in one pass, told together, a line each."""

    def __init__(self, problems: list[InputError]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))
