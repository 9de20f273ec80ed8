// Works for longer than its own time-out, and ends normally.
import { setTimeout } from "node:timers/promises";

export const handler = async (event, context) => {
  for (let second = 1; second <= event.seconds; second += 1) {
    await setTimeout(1000);
    console.log(`${context.functionName}: ${second} s of work done`);
  }
  return { worked: event.seconds, remainingDays: Math.floor(context.getRemainingTimeInMillis() / 86_400_000) };
};
