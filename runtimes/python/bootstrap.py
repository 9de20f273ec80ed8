"""Starts a Python function as AWS's /var/runtime/bootstrap.py does: where modules are looked for, then the client.

It stands in the runtime directory beside AWS's client (awslambdaric) and what that needs. The client is imported
first, so nothing of the function's can stand in for it; after that the function's own files come before ours.
"""

import os
import site
import sys

import awslambdaric.__main__ as client


def find_modules():
    """Function, layers, interpreter, runtime; only the function comes first where it sets PYTHONPATH itself."""
    task = os.environ["LAMBDA_TASK_ROOT"]
    # Outside an image the layers are not in /opt. Where they are is our business, not the function's.
    layers = os.environ.pop("IMMORTAL_OPT", "/opt") + "/python"
    shared = "{}/lib/python{}.{}/site-packages".format(layers, *sys.version_info)
    if "PYTHONPATH" in os.environ:
        sys.path.insert(0, task)
        site.addsitedir(task)
    else:
        sys.path[:0] = [task, shared, layers, site.getsitepackages()[0]]
        for directory in (task, shared, layers):
            site.addsitedir(directory)  # for its .pth files
        os.environ["PYTHONPATH"] = os.environ["LAMBDA_RUNTIME_DIR"]


def check_interpreter():
    """Says which Python this is where it is not the one asked for, and stops where the client cannot work in it."""
    found = sys.version.split()[0]
    try:
        import runtime_client  # noqa: F401  the client's native part; the client itself would go on without it
    except ImportError as error:
        sys.exit(f"immortal: AWS's client was not set up for Python {found} in {sys.executable}: {error}; run runtimes/setup.sh again")
    asked = os.environ.get("AWS_EXECUTION_ENV", "").removeprefix("AWS_Lambda_")
    if asked.startswith("python") and asked != "python{}.{}".format(*sys.version_info):
        print(f"immortal: the function asks for {asked}; running it with Python {found}, the version installed here", file=sys.stderr)


def main():
    check_interpreter()
    find_modules()
    client.main([os.environ["LAMBDA_TASK_ROOT"], os.environ["_HANDLER"]])


if __name__ == "__main__":
    main()
