
// Starts a Node.js function. setup.sh appends this to AWS's client (aws-lambda-ric), whose `run` it calls: the whole is
// index.mjs, one file as in AWS's /var/runtime, so that errors name the same file as there.

function checkInterpreter() {
  const asked = /^AWS_Lambda_(nodejs(\d+)\..*)$/.exec(process.env.AWS_EXECUTION_ENV ?? "");
  const found = process.versions.node;
  if (asked && asked[2] !== found.split(".")[0]) {
    process.stderr.write(`immortal: the function asks for ${asked[1]}; running it with Node.js ${found}, the version installed here\n`);
  }
}

async function start() {
  checkInterpreter();
  await run(process.env.LAMBDA_TASK_ROOT, process.env._HANDLER);
}

await start();
