"""Users and their passwords, visitors, the rate limit and the quota."""

from __future__ import annotations

import io
import logging
import threading
from types import SimpleNamespace

import gradio as gr
import pytest
from starlette.requests import Request

from index import terminal
from qa import __main__ as commands
from qa import users as users_module
from qa.users import UsersError, read_users, user_line
from qa.web import access
from qa.web.access import Allowance, Quota, QuotaError, RateError, RateLimit
from qa.web.login import Attempts

PASSWORD = "correct horse"
LINE = user_line("anna", PASSWORD)
HASH = LINE.removeprefix("anna:")


@pytest.fixture
def users_file(tmp_path):
    path = tmp_path / "users.txt"
    path.write_text(f"# who may come in\n\n{LINE}:admin\nbert:{HASH}\n", encoding="utf-8")
    path.chmod(0o600)
    return path


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(users_module, "LOOK_AGAIN", 0.0)


# Users


def test_the_right_password_of_a_known_name_fits_and_nothing_else(users_file):
    users = read_users(users_file)
    assert users.check("anna", PASSWORD)
    assert not users.check("anna", "correct horses")
    assert not users.check("Anna", PASSWORD)
    assert not users.check("", "")
    assert not users.check("anna", PASSWORD * 1_000)
    assert users.find("anna").admin
    assert not users.find("bert").admin
    assert users.find("carl") is None


def test_an_unknown_name_costs_a_hash_too(users_file, monkeypatch):
    checked = []
    monkeypatch.setattr(users_module, "_fits", lambda hashed, password: checked.append(hashed) or True)
    users = read_users(users_file)
    assert not users.check("carl", PASSWORD)
    assert checked == [HASH]


def test_an_accent_typed_as_two_code_points_is_the_same_password(tmp_path):
    path = tmp_path / "users.txt"
    path.write_text(user_line("zoe", "caf\u00e9 au lait"))
    path.chmod(0o600)
    assert read_users(path).check("zoe", "cafe\u0301 au lait")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("anna", "line 1: what follows anna"),
        (f"an na:{HASH}", "line 1: 'an na' is no name"),
        (f":{HASH}", "line 1: '' is no name"),
        ("anna:$2b$12$abcdefghijk", "line 1: what follows anna: is no argon2id hash"),
        (f"anna:{HASH}:root", 'line 1: after the hash only ":admin"'),
        (f"anna:{HASH}\nANNA:{HASH}", "line 2: there is a user ANNA already"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, line, message):
    path = tmp_path / "users.txt"
    path.write_text(line)
    path.chmod(0o600)
    with pytest.raises(UsersError) as caught:
        read_users(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UsersError, match=r"no\.txt can't be read: No such file"):
        read_users(tmp_path / "no.txt")


def test_a_file_that_others_may_write_is_refused_and_one_they_may_read_warned_of(users_file, caplog):
    users_file.chmod(0o620)
    with pytest.raises(UsersError, match="chmod 600"):
        read_users(users_file)
    users_file.chmod(0o644)
    read_users(users_file)
    assert "can read" in caplog.text


def test_an_empty_file_lets_nobody_in(tmp_path, caplog):
    path = tmp_path / "users.txt"
    path.touch(0o600)
    assert not read_users(path).check("anna", PASSWORD)
    assert "names no user" in caplog.text


def test_a_change_of_the_file_is_taken_over(users_file, impatient):
    users = read_users(users_file)
    users_file.write_text(f"carl:{HASH}\n")
    assert users.find("anna") is None
    assert users.find("carl") is not None


@pytest.mark.parametrize("broken", ["carl:nothing\n", None])
def test_a_file_that_breaks_changes_nothing_and_is_told_once(users_file, impatient, caplog, broken):
    users = read_users(users_file)
    if broken is None:
        users_file.unlink()
    else:
        users_file.write_text(broken)
    with caplog.at_level(logging.ERROR):
        assert users.find("anna") is not None
        assert users.find("carl") is None
    assert len(caplog.records) == 1
    users_file.write_text(f"carl:{HASH}\n")
    users_file.chmod(0o600)
    assert users.find("carl") is not None


def test_the_command_prints_a_line_that_lets_its_user_in(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PASSWORD}\n"))
    assert terminal.exit_code(commands.app, "qa", ["password", "dora", "--admin"]) == 0
    path = tmp_path / "users.txt"
    path.write_text(capsys.readouterr().out)
    path.chmod(0o600)
    users = read_users(path)
    assert users.check("dora", PASSWORD)
    assert users.find("dora").admin


@pytest.mark.parametrize(
    ("name", "typed", "message"),
    [
        ("dora", ["a password", "another one"], "differ"),
        ("dora", ["short"] * 2, "5 characters"),
        ("d:", [PASSWORD] * 2, "'d:'"),
    ],
)
def test_the_command_refuses_what_would_not_work(monkeypatch, capsys, name, typed, message):
    answers = iter(typed)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("getpass.getpass", lambda prompt: next(answers))
    assert terminal.exit_code(commands.app, "qa", ["password", name]) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.out == ""


# Slowed guesses


def test_failures_of_a_name_slow_down_more_and_more_but_end():
    now = [0.0]
    attempts = Attempts(lambda: now[0])
    waits = []
    for number in range(13):
        wait = attempts.begin("anna", f"10.0.{number}.1")
        waits.append(wait)
        now[0] += wait
        assert not wait or attempts.begin("anna", f"10.0.{number}.1") == 0
    assert waits == [0, 0, 0, 0, 0, 5, 10, 20, 40, 80, 160, 300, 300]
    now[0] += 3_600
    assert attempts.begin("anna", "10.0.0.1") == 0


def test_a_success_makes_nobody_wait_longer():
    now = [0.0]
    attempts = Attempts(lambda: now[0])
    for number in range(5):
        assert attempts.begin(f"name{number}", "10.0.0.1") == 0
    now[0] = 4.0
    assert attempts.begin("another", "10.0.0.1") == pytest.approx(1)
    now[0] = 5.0
    assert attempts.begin("me", "10.0.0.1") == 0
    attempts.succeed("me", "10.0.0.1")
    assert attempts.begin("another", "10.0.0.1") == 0


def test_failures_of_an_address_count_for_all_names_and_an_own_login_does_not_clear_them():
    attempts = Attempts(lambda: 0.0)
    for number in range(5):
        assert attempts.begin(f"name{number}", "10.0.0.1") == 0
        assert attempts.begin("me", f"10.0.1.{number}") == 0
        attempts.succeed("me", f"10.0.1.{number}")
    assert attempts.begin("another", "10.0.0.1") > 0
    assert attempts.begin("another", "10.0.0.2") == 0


def test_logging_in_again_and_again_is_no_failure():
    attempts = Attempts(lambda: 0.0)
    for _ in range(20):
        assert attempts.begin("anna", "10.0.0.1") == 0
        attempts.succeed("anna", "10.0.0.1")


# Visitors


def plain(cookie: str = "", **scope) -> Request:
    headers = [(b"cookie", f"{access.COOKIE}={cookie}".encode())] if cookie else []
    return Request({"type": "http", "headers": headers, "client": ("10.0.0.7", 1), **scope})


@pytest.mark.parametrize("wrap", [lambda request: request, gr.Request])
def test_a_visitor_is_who_the_server_says(wrap):
    cookie = access.new_cookie()
    by_cookie = access.visitor(wrap(plain(cookie)))
    assert by_cookie == access.visitor_of(cookie)
    assert by_cookie.startswith("visitor:")
    assert cookie not in by_cookie
    said = {access.VISITOR: "user:anna", access.IS_ADMIN: True}
    assert access.visitor(wrap(plain(cookie, **said))) == "user:anna"
    assert access.is_admin(wrap(plain(cookie, **said)))
    assert not access.is_admin(wrap(plain(cookie)))
    assert access.address(wrap(plain())) == "10.0.0.7"


def test_without_a_usable_cookie_nobody_is_met_again():
    assert access.visitor(plain("../../x")) != access.visitor(plain("../../x"))
    assert access.visitor(plain()) != access.visitor(plain())
    assert access.visitor(SimpleNamespace(cookies={}, username="anna")) == "user:anna"


# The rate limit


def test_a_minute_has_so_many_questions_and_they_come_back():
    now = [0.0]
    limit = RateLimit(3, lambda: now[0])
    assert [limit.take("visitor:a", "10.0.0.1") for _ in range(3)] == [0, 0, 0]
    assert limit.take("visitor:a", "10.0.0.1") == pytest.approx(20)
    with pytest.raises(RateError, match="3 questions a minute is the limit here; ask again in 20 seconds"):
        limit.check("visitor:a", "10.0.0.1")
    now[0] += 20
    assert limit.take("visitor:a", "10.0.0.1") == 0
    assert limit.take("visitor:a", "10.0.0.1") > 0


def test_a_new_cookie_starts_no_new_minute_but_another_user_does():
    limit = RateLimit(1, lambda: 0.0)
    assert limit.take("visitor:a", "2001:db8::1") == 0
    assert limit.take("visitor:b", "2001:db8::2") > 0
    assert limit.take("visitor:a", "10.0.0.9") > 0
    assert limit.take("visitor:b", "10.0.0.9") == 0
    assert limit.take("user:anna", "10.0.0.9") == 0
    assert limit.take("user:bert", "10.0.0.9") == 0
    assert limit.take("user:bert", "10.0.0.8") > 0


def test_no_limit_and_bounded_memory(monkeypatch):
    assert not any(RateLimit(0).take("visitor:a", "10.0.0.1") for _ in range(99))
    monkeypatch.setattr(access, "MAX_BUCKETS", 10)
    limit = RateLimit(1)
    for number in range(100):
        limit.take(f"user:{number}", "")
    assert len(limit._buckets) == 10


def test_many_threads_get_no_more_than_the_limit():
    limit = RateLimit(50, lambda: 0.0)
    allowed = []

    def ask():
        for _ in range(50):
            allowed.append(limit.take("visitor:a", "10.0.0.1") == 0)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(allowed) == 50


# The quota


def test_a_user_may_keep_so_much_and_gets_it_back(tmp_path):
    quota = Quota(tmp_path / "web", per_user=10_000_000, total=15_000_000)
    quota.take(("user:anna",), 8_000_000)
    with pytest.raises(QuotaError, match=r"3\.0 MB don't fit: of your 10\.0 MB for uploads 2\.0 MB are left"):
        quota.take(("user:anna",), 3_000_000)
    with pytest.raises(QuotaError, match=r"of the 15\.0 MB for everyone's uploads 7\.0 MB are left"):
        quota.take(("user:bert",), 8_000_000)
    quota.give_back(("user:anna",), 8_000_000)
    quota.take(("user:bert",), 8_000_000)
    again = Quota(tmp_path / "web", per_user=10_000_000, total=15_000_000)
    assert (again.used("user:anna"), again.used("user:bert")) == (0, 8_000_000)
    again.give_back(("user:bert",), 99_000_000)
    assert again.used("user:bert") == 0


def test_without_logins_a_network_may_keep_so_much(tmp_path):
    quota = Quota(tmp_path, per_user=10, total=60)
    for number in range(Quota.NETWORK):
        quota.take((f"visitor:{number}", "network:10.0.0.1"), 10)
    with pytest.raises(QuotaError, match="your network has used up"):
        quota.take(("visitor:x", "network:10.0.0.1"), 1)
    quota.give_back(("visitor:0", "network:10.0.0.1"), 10)
    quota.take(("visitor:x", "network:10.0.0.1"), 10)
    quota.take(("visitor:x2", "network:10.0.0.2"), 10)  # the total counts every byte once
    with pytest.raises(QuotaError, match="for everyone's uploads"):
        quota.take(("user:anna",), 1)


def test_who_pays_is_the_visitor_and_without_a_login_the_network():
    scope = {"type": "http", "client": ("2001:db8::1", 1), "headers": []}
    assert access.payers(Request({**scope, access.VISITOR: "user:anna"})) == ("user:anna",)
    named = access.payers(Request({**scope, access.VISITOR: "visitor:a"}))
    assert named == ("visitor:a", "network:2001:db8::/64")


def test_bytes_an_hour_come_back_bit_by_bit():
    now = [0.0]
    allowance = Allowance(100, lambda: now[0])
    assert allowance.take(("a", "net"), 60) == 0
    assert allowance.take(("b", "net"), 60) == pytest.approx(720)
    assert allowance.take(("c", "other"), 100) == 0
    now[0] += 720
    assert allowance.take(("b", "net"), 60) == 0
    assert allowance.take(("b",), 41) > 0


def test_uploads_at_once_do_not_overrun_the_quota(tmp_path):
    quota = Quota(tmp_path, per_user=10, total=0)
    taken = []

    def upload():
        for _ in range(5):
            try:
                quota.take(("visitor:a",), 1)
            except QuotaError:
                continue
            taken.append(1)

    threads = [threading.Thread(target=upload) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(taken) == quota.used("visitor:a") == 10


def test_a_quota_that_can_not_be_kept_says_so(tmp_path):
    (tmp_path / "web").write_text("a file, where the folder should be")
    with pytest.raises(QuotaError, match=r"quota\.sqlite can't be used"):
        Quota(tmp_path / "web", 1, 1).take(("user:anna",), 1)


def test_the_hash_is_not_the_password():
    assert PASSWORD not in LINE
    assert LINE.startswith("anna:$argon2id$")
