#!/bin/sh
# One process for each request: its body is standard input, and standard output is the answer. Variables say
# the rest, as with OpenFaaS's classic watchdog: Http_Method, Http_Path, Http_Query, Http_Content_Type.
set -eu
body=$(cat)
echo "Hello, ${body:-world}: $Http_Method $Http_Path"
