"""The words of one script, as the tables words_of_*.py have them; passport_words.py fills their templates."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Words:
    """The words of one script.

    name: what tells one job from its siblings. how: what it did. story: one sentence for all siblings, with {names}, {how},
    {each} (names and how) and {n_jobs:one|several} (a number and the word after it), or "" for a step that needs none. makes: what the output holds (or is, with "a" before
    it), where FILES doesn't tell. idle: a parameter and the value with which the step leaves things as they are, so that its
    story is not told.
    """

    name: str
    how: str
    story: str
    makes: str
    idle: tuple = ()
