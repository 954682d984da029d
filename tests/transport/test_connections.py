import _thread
import signal
import sys
import threading

import pytest

from tests.transport.eventually import alive, eventually
from xgen_deploy.errors import UnreachableError, UsageError
from xgen_deploy.state.host import Host
from xgen_deploy.transport import fleet
from xgen_deploy.transport.connect import Connector, connect
from xgen_deploy.transport.fleet import each
from xgen_deploy.transport.launch import skip_to
from xgen_deploy.transport.options import Options
from xgen_deploy.transport.process import Deadline, Output
from xgen_deploy.transport.read_only import ReadOnly, WriteRefused

ECHO = b"emit(b'got ' + REQUEST)"


def test_observe(here):
    assert here.observe(ECHO, b"this", timeout=20) == b"got this"


def test_a_program_that_fails_says_why(here):
    with pytest.raises(UnreachableError, match=r"here: .*ZeroDivisionError"):
        here.observe(b"1/0", b"", timeout=20)


def test_a_program_that_hangs_is_given_up(here):
    with pytest.raises(UnreachableError, match="did not answer within 1 s"):
        here.observe(b"import time; time.sleep(600)", b"", timeout=0.6)


def test_follow_passes_output_and_status_on(here, capfdbinary):
    assert here.follow(["sh", "-c", "echo $0; echo bad >&2; exit 5", "a 'b'"]) == 5
    assert capfdbinary.readouterr() == (b"a 'b'\n", b"bad\n")


def test_errors_that_come_with_the_start_are_passed_on():
    class Quick:
        """A process of which everything is there at the first read."""

        def read(self, _: float) -> Output:
            return Output(b"banner\nREADY\nout", b"bad\n", ended=True)

    seen = skip_to(b"READY", Quick(), Deadline(1.0))
    assert seen == Output(b"out", b"bad\n", ended=True)


def test_follow_ends_what_it_followed(here, capfd):
    assert here.follow(["sh", "-c", "echo $$; exec sleep 600"], timeout=1.0) == 124
    followed = int(capfd.readouterr().out)
    assert eventually(lambda: not alive(followed))


def test_a_reading_run_cannot_write(here):
    reading = ReadOnly(here)
    assert reading.observe(ECHO, b"", timeout=20) == b"got "
    with pytest.raises(WriteRefused, match="here"):
        reading.session()


def test_the_process_runtime_stays_off_ssh():
    with pytest.raises(UsageError, match="gpu: the process runtime"):
        connect(Host(name="gpu"), Options(runtime="process"))


def test_a_stated_ssh_config_must_be_there(tmp_path):
    with pytest.raises(UsageError, match="none: No such file"):
        connect(Host(name="gpu"), Options(ssh_config=str(tmp_path / "none")))


def hosts(count):
    connector = Connector(Options(runtime="process"))
    return [connector.connect(Host(name=f"h{n}", connection="local")) for n in range(count)]


def test_each_host_at_the_same_time():
    together = threading.Barrier(8)

    def meet(connection):
        together.wait(120)
        return connection.name.upper()

    assert each(hosts(8), meet) == {f"h{n}": f"H{n}" for n in range(8)}


def test_more_hosts_than_workers():
    assert list(each(hosts(20), lambda c: c.name, max_workers=3)) == [f"h{n}" for n in range(20)]


def test_one_host_that_fails_leaves_the_others():
    def fail_on_h1(connection):
        if connection.name == "h1":
            raise UnreachableError("h1", "it is off")
        return 1

    results = each(hosts(3), fail_on_h1)
    assert (results["h0"], str(results["h1"]), results["h2"]) == (1, "h1: it is off", 1)


@pytest.fixture
def heeding_ctrl_c():
    """What a shell starts in the background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeding_ctrl_c")
def test_an_interruption_that_wakes_nobody_is_noticed():
    """As one does that comes right before the wait for the first result."""

    class Waiting:
        name = "a"
        closed = threading.Event()

        def close(self):
            self.closed.set()

    closed_in_time = []

    def interrupt(connection):
        while not waits_for_results():
            pass
        _thread.interrupt_main()
        closed_in_time.append(connection.closed.wait(20))

    with pytest.raises(KeyboardInterrupt):
        each([Waiting()], interrupt)
    assert eventually(lambda: closed_in_time == [True], 30)


def waits_for_results() -> bool:
    frame = sys._current_frames()[threading.main_thread().ident]
    return frame.f_code.co_filename == fleet.__file__


@pytest.mark.usefixtures("heeding_ctrl_c")
def test_interrupting_closes_every_connection_and_waits_for_none():
    class Stuck:
        def __init__(self, name):
            self.name = name
            self.closed = threading.Event()

        def close(self):
            self.closed.set()

    stuck = [Stuck("a"), Stuck("b")]

    def interrupt(connection):
        if connection.name == "a":
            signal.raise_signal(signal.SIGINT)
        threading.Event().wait()

    with pytest.raises(KeyboardInterrupt):
        each(stuck, interrupt)
    assert all(connection.closed.is_set() for connection in stuck)


@pytest.mark.parametrize(
    "error",
    [KeyError("secret"), MemoryError("secret"), RecursionError("secret"), OverflowError("secret")],
)
def test_whatever_one_hosts_work_raises_is_that_hosts_result(error):
    def fail_on_h1(connection):
        if connection.name == "h1":
            raise error
        return "done"

    results = each(hosts(3), fail_on_h1)
    assert (results["h0"], results["h2"]) == ("done", "done")
    said = str(results["h1"])
    assert said.startswith(f"h1: xgen-deploy itself failed there ({type(error).__name__} in ")
    assert "secret" not in said


def test_a_write_through_a_reading_connection_is_not_a_result(here):
    with pytest.raises(WriteRefused):
        each([ReadOnly(here)], lambda c: c.session())
