from mdmt_tf.serving.web import openapi


def references(value):
    if isinstance(value, dict):
        for key, own in value.items():
            if key == "$ref":
                yield own
            yield from references(own)
    elif isinstance(value, list):
        for own in value:
            yield from references(own)


def test_the_document_describes_what_is_served(ask):
    document = openapi.document()
    (served,) = ask(("GET", "/openapi.json", {}))
    assert served.json() == document
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            (reply,) = ask((method.upper(), path, {}))
            status = str(reply.status_code)
            assert status in operation["responses"], (path, status)
            kind = reply.headers["content-type"].partition(";")[0]
            assert kind in operation["responses"][status]["content"]


def test_references_lead_somewhere():
    document = openapi.document()
    known = {
        f"#/components/schemas/{name}" for name in document["components"]["schemas"]
    }
    assert set(references(document)) <= known
    names = [
        operation["operationId"]
        for operations in document["paths"].values()
        for operation in operations.values()
    ]
    assert len(set(names)) == len(names)
