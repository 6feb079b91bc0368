def handle(req):
    """Answers a request, as in OpenFaaS's python3 template.

    Args:
        req (str): the body of the request
    """
    return "Hello, " + (req.strip() or "world")
