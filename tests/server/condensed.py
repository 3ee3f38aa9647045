"""What matters of an OpenAPI document, in a form that two documents can be compared in."""

import re


def condense(document):
    """Return operations by method and path, and the fields of schemas; names of path variables do not matter."""
    operations = {}
    for path, methods in document["paths"].items():
        for method, op in methods.items():
            call = f"{method.upper()} {re.sub('{.*?}', '{}', path)}"
            operations[call] = {
                "id": op["operationId"],
                "tags": op["tags"],
                "query": {
                    p["name"]: typed(p["schema"]) + (" required" if p.get("required") else "")
                    for p in op.get("parameters", ())
                    if p["in"] == "query"
                },
                "body": body_of(op.get("requestBody")),
                "answers": {
                    code: body_of(answer)
                    for code, answer in op["responses"].items()
                    if code.startswith("2") and "application/json" in answer.get("content", {})
                },
            }
    schemas = {name: fields_of(schema) for name, schema in document["components"]["schemas"].items()}
    return {"operations": operations, "schemas": schemas}


def body_of(found):
    return "" if found is None else typed(found["content"]["application/json"]["schema"])


def fields_of(schema):
    if "enum" in schema:
        return {"enum": " ".join(schema["enum"])}
    required = schema.get("required", ())
    return {
        name: typed(found) + (" required" if name in required else "")
        for name, found in schema.get("properties", {}).items()
    }


def typed(schema):
    """Return a schema as one word; what may be null may be left out, and a number may be whole."""
    if "$ref" in schema:
        return schema["$ref"].rsplit("/", 1)[1]
    if "anyOf" in schema:
        kinds = {typed(kind) for kind in schema["anyOf"]} - {"null"}
        return "|".join(sorted(kinds - {"integer"} if "number" in kinds else kinds))
    kind = schema.get("type", "any")
    if isinstance(kind, list):
        return "|".join(sorted(typed(schema | {"type": one}) for one in kind if one != "null"))
    if kind == "array":
        return f"{typed(schema['items'])}[]"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"map of {typed(schema['additionalProperties'])}"
    return kind
