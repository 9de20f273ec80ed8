// What nasa/cumulus-ecs-task does to run a deployed function, for comparison: GetFunction with AWS's SDK, the package
// to a file, Info-ZIP, and the handler required by the same process.
process.env.AWS_SDK_JS_SUPPRESS_MAINTENANCE_MODE_MESSAGE = "1";
const { execSync } = require("node:child_process");
const fs = require("node:fs");
const http = require("node:http");
const os = require("node:os");
const path = require("node:path");
const AWS = require("aws-sdk");

const directory = fs.mkdtempSync(path.join(os.tmpdir(), "cumulus-"));
const zip = path.join(directory, "function.zip");
const task = path.join(directory, "task");
const lambda = new AWS.Lambda({ endpoint: process.env.AWS_ENDPOINT_URL_LAMBDA, region: process.env.AWS_REGION });

lambda.getFunction({ FunctionName: "bench" }, (error, found) => {
  if (error) throw error;
  const [file, name] = found.Configuration.Handler.split(".");
  const written = fs.createWriteStream(zip).on("close", () => {
    execSync(`unzip -q -o ${zip} -d ${task}`);
    require(path.join(task, file))[name]({}, { via: "ECS" });
  });
  http.get(found.Code.Location, (code) => code.pipe(written));
});
