"""Who is let in: the holder of the token, from this machine, in this protocol, and no web page."""

import pytest


def test_the_right_headers_are_let_in(scripted):
    status, answer = scripted.request("GET", "/v1/health")
    assert status == 200
    assert answer == {
        "status": "ok",
        "protocol": 1,
        "version": "0.1.0",
        "busy": False,
        "pid": scripted.process.pid,
    }


@pytest.mark.parametrize(
    "path", ["/v1/health", "/v1/capabilities", "/v1/photos/x", "/v1/render", "/", "/docs"]
)
@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Bearer wrong", "Basic eDp5", "Bearer ü"])
def test_a_wrong_token_is_refused_everywhere(scripted, path, header):
    status, answer = scripted.request("GET", path, Authorization=header)
    assert status == 401
    assert answer["error"]["code"] == "token_refused"
    assert answer["error"]["message"]


@pytest.mark.parametrize("host", ["example.com", "127.0.0.1", "localhost:1", "127.0.0.1.example.com"])
def test_another_host_name_is_refused(scripted, host):
    status, answer = scripted.request("GET", "/v1/health", Host=host)
    assert (status, answer["error"]["code"]) == (403, "host_refused")


def test_localhost_is_a_host_name_too(scripted):
    assert scripted.request("GET", "/v1/health", Host=f"localhost:{scripted.port}")[0] == 200


@pytest.mark.parametrize("origin", ["null", "http://localhost:3000"])
def test_a_web_page_is_refused(scripted, origin):
    status, answer = scripted.request("POST", "/v1/render", b"{}", Origin=origin)
    assert (status, answer["error"]["code"]) == (403, "origin_refused")


@pytest.mark.parametrize("version", [None, "0", "2", "1.0"])
def test_another_protocol_version_is_refused_and_both_are_named(scripted, version):
    status, answer = scripted.request("GET", "/v1/health", X_Neural_Assets_Protocol=version)
    assert (status, answer["error"]["code"]) == (426, "protocol_mismatch")
    assert "protocol 1" in answer["error"]["message"]
    assert (version or "none") in answer["error"]["message"]


def test_only_this_machine_can_connect(scripted):
    import psutil

    listening = [c for c in psutil.Process(scripted.process.pid).net_connections() if c.status == "LISTEN"]
    assert [c.laddr.ip for c in listening] == ["127.0.0.1"]


def test_the_token_shows_neither_in_arguments_nor_in_the_environment_of_children(scripted):
    import psutil

    assert scripted.token not in " ".join(psutil.Process(scripted.process.pid).cmdline())


def test_an_unknown_path_is_answered_in_the_same_form(scripted):
    status, answer = scripted.request("GET", "/v1/nothing")
    assert (status, answer["error"]["code"]) == (404, "not_found")
    status, answer = scripted.request("DELETE", "/v1/health")
    assert (status, answer["error"]["code"]) == (405, "method_not_allowed")
