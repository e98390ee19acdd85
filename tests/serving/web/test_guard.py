import pytest

from mdmt_tf.serving.web.guard import security_headers

FILES = {"files": [("files", ("a.png", b"no image"))]}


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "[::1", "a@b"],
)
def test_a_name_that_points_to_this_computer_is_refused(ask, host):
    requests = [
        (method, path, {"headers": {"host": host}})
        for method, path in (("GET", "/"), ("GET", "/api/model"), ("POST", "/health"))
    ]
    for reply in ask(*requests):
        assert reply.status_code == 403
        assert "--allowed-host" in reply.json()["error"]


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "LOCALHOST:1", "localhost"])
def test_own_names_are_answered(ask, host):
    (reply,) = ask(("GET", "/health", {"headers": {"host": host}}))
    assert reply.json() == {"status": "ok", "requests": 0}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://127.0.0.1:8000"}, 200),
        ({"origin": "http://127.0.0.1:9000"}, 403),
        ({"origin": "http://localhost:8000"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"sec-fetch-site": "same-origin"}, 200),
        ({"sec-fetch-site": "none"}, 200),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
    ],
)
def test_pages_of_other_sites_cannot_ask(ask, headers, status):
    (reply,) = ask(("POST", "/api/predict", FILES | {"headers": headers}))
    assert reply.status_code == status
    assert "access-control-allow-origin" not in reply.headers


def test_a_link_from_another_site_opens_the_page(ask):
    headers = {"sec-fetch-site": "cross-site"}
    (reply,) = ask(("GET", "/", {"headers": headers}))
    assert reply.status_code == 200


def test_headers_of_every_response(ask):
    replies = ask(
        ("GET", "/", {}),
        ("GET", "/static/app.js", {}),
        ("GET", "/nothing", {}),
        ("POST", "/api/predict", {}),
        ("GET", "/", {"headers": {"host": "evil.example"}}),
    )
    for reply in replies:
        assert reply.headers["cache-control"] == "no-store"
        assert reply.headers["x-frame-options"] == "DENY"
        policy = reply.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy and "http" not in policy


def test_what_is_written_in_a_page_is_allowed_by_its_hash():
    policy = security_headers(["sha256-a"], ["sha256-b"])["content-security-policy"]
    assert "script-src 'self' 'sha256-a';" in policy
    assert "style-src 'self' 'sha256-b';" in policy
