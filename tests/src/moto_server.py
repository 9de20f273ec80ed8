"""moto's server, `moto_server.py HOST PORT`, with what moto 5.2.1 does not do as SQS does:

of two messages of a queue that are deleted at the same moment, one was there again, hidden; a message that its queue gave
up on did not say which queue that was."""

import sys

from moto.server import main
from moto.sqs.models import Queue, sqs_backends
from moto.sqs.responses import SQSResponse

delete_message, add_message = Queue.delete_message, Queue.add_message
receive_message = SQSResponse.receive_message
given_up_by = {}


def one_at_a_time(queue, receipt_handle):
    with queue._messages_lock:
        delete_message(queue, receipt_handle)


def noted(queue, message):
    # A new message has not been received yet.
    if message.approximate_receive_count:
        queues = sqs_backends[queue.account_id][queue.region].queues.values()
        given_up_by[message.id] = next(one.queue_arn for one in queues if one.dead_letter_queue is queue)
    add_message(queue, message)


def told(response):
    answer = receive_message(response)
    for message in answer.result.get("Messages", []):
        if message["MessageId"] in given_up_by:
            message["Attributes"]["DeadLetterQueueSourceArn"] = given_up_by[message["MessageId"]]
    return answer


Queue.delete_message, Queue.add_message = one_at_a_time, noted
SQSResponse.receive_message = told
if __name__ == "__main__":
    main(["-H", sys.argv[1], "-p", sys.argv[2]])
