"""moto's server, `moto_server.py HOST PORT`, with one defect mended: of two messages of a queue that are deleted at the same
moment, one is there again, hidden (moto 5.2.1, `Queue.delete_message` reads the list and replaces it)."""

import sys

from moto.server import main
from moto.sqs.models import Queue

delete_message = Queue.delete_message


def one_at_a_time(queue, receipt_handle):
    with queue._messages_lock:
        delete_message(queue, receipt_handle)


Queue.delete_message = one_at_a_time
if __name__ == "__main__":
    main(["-H", sys.argv[1], "-p", sys.argv[2]])
