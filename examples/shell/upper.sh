#!/bin/sh
# The content of a request is standard input, the answer is standard output; the request's fields are in the
# environment. What goes to standard error is logged, and an exit code other than 0 is the client's 500.
if [ "$Http_Method" = GET ]; then
  echo "POST some text to $Http_Host$Http_Path" >&2
  exit 1
fi
exec tr '[:lower:]' '[:upper:]'
