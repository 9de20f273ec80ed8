"""Works for longer than its own time-out, and ends normally."""

import time


def handler(event, context):
    seconds = event["seconds"]
    for second in range(1, seconds + 1):
        time.sleep(1)
        print(f"{context.function_name}: {second} s of work done")
    return {"worked": seconds, "remaining_days": context.get_remaining_time_in_millis() // 86_400_000}
