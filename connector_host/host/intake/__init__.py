"""Intake: records taken in, once or on a schedule, mapped as tables say, and read on in order of arrival."""
