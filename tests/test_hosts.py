"""How the processes of a run are told apart. That they learn together is tested in
tests/ppo/test_devices.py."""

import pytest

from mimicgym.errors import UserError
from mimicgym.hosts import is_first, parse, wait_for_all


def test_address_count_and_number():
    assert parse("10.0.0.1:1234/2/0") == ("10.0.0.1:1234", 2, 0)
    assert parse("node-7:80/16/15") == ("node-7:80", 16, 15)


@pytest.mark.parametrize(
    "text",
    ["", "slurm", "10.0.0.1/2/0", "h:1234/2/2", "h:1234/2", "h:x/2/0", "h:1/2/-1"],
)
def test_other_texts_are_refused(text):
    with pytest.raises(UserError, match="ADDRESS:PORT/COUNT/NUMBER"):
        parse(text)


def test_a_process_by_itself_is_the_first_and_waits_for_nobody():
    assert is_first()
    wait_for_all("here")
