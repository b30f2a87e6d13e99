"""A function that somebody wrote, graded: random networks, points by part, the mistake and the line that it breaks."""

from neuronsim.grading.assess import grade
from neuronsim.grading.report import Grade

__all__ = ["Grade", "grade"]
