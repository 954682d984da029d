"""`ask`: one question from here, through the gateway or over the connection."""

import json

import pytest

from tests.apply.conftest import MODEL, MakeSite, q
from tests.fake_host.engine import Engine
from tests.fake_host.site import FakeSite, Ran
from xgen_deploy.backends.question import Question
from xgen_deploy.transport.base import Reply
from xgen_deploy.verify.answer import Answer

E = {"source": "/m/bge-m3.gguf", "type": "embedding"}
R = {"source": "/m/bge-reranker.gguf", "type": "reranker"}


@pytest.fixture
def site(make_site: MakeSite) -> FakeSite:
    """Three kinds of models on one host, without a gateway; `b` has one more of the first."""
    made = make_site(
        {"h": "cpu", "b": "cpu"},
        models={"q": {**MODEL, "api_key": {"env": "ENGINE_KEY"}}, "e": E, "r": R},
        hosts={
            "h": [q(), {"model": "e", "gpus": []}, {"model": "r", "gpus": []}],
            "b": [q(name="q-b")],
        },
    )
    made.apply()
    return made


def answers(site: FakeSite, host: str, body: object, status: int = 200) -> None:
    """From now on."""
    said = Reply(status, body if isinstance(body, bytes) else json.dumps(body).encode())
    for process in site.hosts[host].running():
        process.engine = Engine(answer=said)


def asked(site: FakeSite, *words: str) -> Ran:
    return site.run("ask", *words)


def test_without_a_gateway_an_instance_is_asked_over_the_connection(site: FakeSite) -> None:
    answers(site, "h", {"choices": [{"message": {"content": "Hello\x1b[2J"}}]})
    ran = asked(site, "q", "Who are you?")
    assert (ran.code, ran.out) == (0, "Hello\\x1b[2J\n")
    assert ran.err == "h/q, over SSH\n"
    assert site.hosts["h"].calls[-1] == "stream 127.0.0.1:8001/v1/chat/completions"


def test_a_model_without_a_chat_template_goes_on_with_the_text(site: FakeSite) -> None:
    answers(site, "h", {"choices": [{"text": " Paris"}]})
    assert asked(site, "q", "The capital of France is", "--complete").out == " Paris\n"
    assert site.hosts["h"].calls[-1] == "stream 127.0.0.1:8001/v1/completions"


def test_what_to_add_is_said_before_the_engine_is_asked(site: FakeSite) -> None:
    """llama-server answers by a template of its own, without an error."""
    site.change(lambda m: m["models"]["q"].update(source="/m/base.gguf"))
    site.apply()
    answers(site, "h", {"choices": [{"message": {"content": "Hm"}, "text": "Hm"}]})
    asked_plainly = asked(site, "q", "The capital of France is")
    assert (asked_plainly.code, asked_plainly.out) == (0, "Hm\n")
    assert "q's file has no chat template" in asked_plainly.err
    assert "`--complete`" in asked_plainly.err
    assert "template" not in asked(site, "q", "The capital is", "--complete").err
    assert "template" not in asked(site, "q", "The capital is", "-q").err
    site.change(lambda m: m["models"]["q"].update(chat_template="/m/chat.jinja"))
    site.apply()
    answers(site, "h", {"choices": [{"message": {"content": "Hm"}}]})
    assert "template" not in asked(site, "q", "Hi").err


def test_an_instance_is_asked_itself(site: FakeSite) -> None:
    answers(site, "b", {"choices": [{"message": {"content": "b"}}]})
    assert asked(site, "q-b", "Hi").out == "b\n"


def test_an_alias_is_what_the_engine_is_asked_for(site: FakeSite) -> None:
    """So the engine itself says whether it knows the name."""
    site.change(lambda m: m["models"]["q"].update(aliases=["gpt-4o"]))
    answers(site, "h", {"choices": [{"message": {"content": "by alias"}}]})
    ran = asked(site, "gpt-4o", "Hi", "--json")
    assert ran.code == 0, ran.said
    document = json.loads(ran.out)
    assert (document["model"], document["instance"]) == ("gpt-4o", "q")
    assert json.loads(site.hosts["h"].streamed[-1])["model"] == "gpt-4o"
    assert "it has q, gpt-4o, e, r" in asked(site, "nobody", "Hi").said


def test_an_alias_goes_through_the_gateway(gateway_site: FakeSite) -> None:
    gateway_site.change(lambda m: m["models"]["q"].update(aliases=["gpt-4o"]))
    gateway_site.apply()
    answers(gateway_site, "h", {"choices": [{"message": {"content": "through"}}]})
    ran = asked(gateway_site, "gpt-4o", "Hi")
    assert (ran.code, ran.out) == (0, "through\n"), ran.said


def test_through_the_gateway_with_the_clients_key(gateway_site: FakeSite) -> None:
    answers(gateway_site, "h", {"choices": [{"message": {"content": "through"}}]})
    ran = asked(gateway_site, "q", "Hi")
    assert (ran.code, ran.out) == (0, "through\n")
    assert ran.err == (
        "through the gateway on g, over SSH: the gateway has no TLS, and its key could be read "
        "on the way\n"
    )


def test_where_only_clients_have_keys_the_gateway_s_own_opens_it(gateway_site: FakeSite) -> None:
    clients = {"yes": {"env": "CLIENT_KEY", "rate": "1/d"}}
    gateway_site.change(lambda m: m["gateway"].pop("api_key"))
    gateway_site.change(lambda m: m["gateway"].update(clients=clients))
    gateway_site.apply()
    answers(gateway_site, "h", {"choices": [{"message": {"content": "own"}}]})
    assert asked(gateway_site, "q", "Hi").out == "own\n"


def test_where_the_gateway_is_stopped_the_instance_itself_is_asked(gateway_site: FakeSite) -> None:
    gateway_site.run("stop", "gateway", "-y")
    answers(gateway_site, "h", {"choices": [{"message": {"content": "itself"}}]})
    ran = asked(gateway_site, "q", "Hi", "--json")
    document = json.loads(ran.out)
    assert (document["way"], document["host"], document["instance"]) == ("ssh", "h", "q")
    assert document["answer"] == "itself"


def test_an_embedding_is_its_length_and_first_numbers(site: FakeSite) -> None:
    answers(site, "h", {"data": [{"embedding": [0.25, -0.5, 0.125, 1, 2]}]})
    assert asked(site, "e", "Hi").out == (
        "a vector of 5 numbers: 0.2500, -0.5000, 0.1250, 1.0000, …\n"
    )
    assert json.loads(asked(site, "e", "Hi", "--json").out)["vector"] == [0.25, -0.5, 0.125, 1, 2]


def test_a_reranker_scores_documents_best_first(site: FakeSite) -> None:
    ran = asked(site, "r", "Where is Paris?")
    assert ran.code == 1
    assert "`xgen-deploy ask MANIFEST r QUERY DOCUMENT DOCUMENT`" in ran.err
    scores = [{"index": 0, "relevance_score": -2.5}, {"index": 1, "relevance_score": 4.0}]
    answers(site, "h", {"results": [*scores, {"index": 9, "relevance_score": 9.0}]})
    ran = asked(site, "r", "Where is Paris?", "Bread is baked.", "Paris is in France.")
    assert ran.out == "   4.0000  Paris is in France.\n  -2.5000  Bread is baked.\n"


def test_the_next_instance_is_asked_where_one_does_not_answer(site: FakeSite) -> None:
    answers(site, "h", b"", status=0)
    answers(site, "b", {"choices": [{"message": {"content": "second"}}]})
    assert asked(site, "q", "Hi").out == "second\n"


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (400, {"error": {"message": "no chat template"}}, "no chat template\n  Add --complete: "),
        (503, {"error": "Loading model"}, "h/q: HTTP 503: Loading model"),
        (500, b"<html>oops</html>", "h/q: HTTP 500: <html>oops</html>"),
        (200, {"choices": []}, "h/q: the answer is empty"),
        (200, b"\xff\xfe", "h/q: the answer is empty"),
        (200, {"error": {"message": "out of memory"}}, "h/q: out of memory"),
    ],
)
def test_an_error_is_a_sentence(site: FakeSite, status: int, body: object, sentence: str) -> None:
    answers(site, "h", body, status)
    ran = asked(site, "q", "Hi")
    assert ran.code == 1
    assert sentence in ran.err


def test_who_cannot_be_asked_is_said(site: FakeSite) -> None:
    unknown = "there is no model `qq` in the manifest; it has q, e, r"
    assert unknown in asked(site, "qq", "").err
    site.run("stop", "e", "-y")
    ran = asked(site, "e", "Hi")
    assert ran.code == 1
    assert "nothing that runs answers to e: never applied, or stopped" in ran.err
    for host in site.hosts.values():
        host.unreachable = "port 22 timed out"
    ran = asked(site, "q", "Hi")
    assert ran.code == 4
    assert "q cannot be asked:\nh: port 22 timed out\nb: port 22 timed out" in ran.err


def _stream(*chunks: object) -> bytes:
    return b"".join(b"data: %s\n\n" % json.dumps(c).encode() for c in chunks) + b"data: [DONE]\n\n"


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_a_stream_is_text_piece_by_piece_however_it_is_cut(size: int) -> None:
    body = _stream(
        {"choices": [{"delta": {"role": "assistant", "content": None}}]},
        {"choices": [{"delta": {"reasoning_content": "Let me think"}}]},
        *({"choices": [{"delta": {"content": word}}]} for word in ("안녕", " there", "\nfriend")),
        {"choices": [], "usage": {}},
    )
    answer = Answer(Question("q", "llm", "Hi"), 200)
    pieces = [body[n : n + size] for n in range(0, len(body), size)]
    told = [text for piece in pieces for text in answer.feed(piece)] + list(answer.end())
    assert told == ["안녕", " there", "\nfriend"]
    assert (answer.text, answer.problem) == ("안녕 there\nfriend", "")


@pytest.mark.parametrize(
    ("chunks", "problem"),
    [
        (
            [{"choices": [{"delta": {"reasoning_content": "hm"}}]}],
            "it used all of its tokens to think; raise --max-tokens",
        ),
        ([{"choices": [{"delta": {"content": "a"}}]}, {"error": {"message": "gone"}}], "gone"),
        (["a", [1], {"choices": [7]}, {"choices": "x"}], "the answer is empty"),
    ],
)
def test_a_stream_that_is_no_answer(chunks: list[object], problem: str) -> None:
    answer = Answer(Question("q", "llm", "Hi"), 200)
    list(answer.feed(_stream(*chunks)))
    list(answer.end())
    assert answer.problem == problem


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("embedding", {"data": [{"embedding": "x"}]}),
        ("embedding", {"data": []}),
        ("reranker", {"results": [{"index": "0"}]}),
    ],
)
def test_an_answer_of_another_form_is_a_problem(kind: str, body: object) -> None:
    answer = Answer(Question("m", kind, "Hi"), 200)  # type: ignore[arg-type]
    list(answer.feed(json.dumps(body).encode()))
    list(answer.end())
    assert "another form than expected" in answer.problem
