# SPDX-License-Identifier: Apache-2.0
"""The one exception that people see: whoever raises it has said in it what was found and what was expected."""


class Refused(Exception):
    """The message is for the user; a script prints it and ends with exit code 2."""
