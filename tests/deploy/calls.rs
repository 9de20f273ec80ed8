//! What the two programs call, and what they may not: the tables that `rights` holds against the roles of the stack.

/// What AWS knows of a call beside its resource: condition keys.
pub(crate) type Known = [(&'static str, &'static str)];
/// Role, action, resource, and what AWS knows of the call.
pub(crate) type Call = (&'static str, &'static str, &'static str, &'static Known);

/// Who calls what, on what, and what AWS knows of the call: each right that the programs need.
/// `FAILURES`, `STATES`, `JOBS`, `CLUSTER`, `TASK`, `EXECUTION` stand for those of the stack.
pub(crate) const NEEDED: &[Call] = &[
    ("DispatcherRole", "sqs:ReceiveMessage", "FAILURES", &[]),
    ("DispatcherRole", "sqs:DeleteMessage", "FAILURES", &[]),
    ("DispatcherRole", "sqs:ChangeMessageVisibility", "FAILURES", &[]),
    ("DispatcherRole", "sqs:GetQueueAttributes", "FAILURES", &[]),
    ("DispatcherRole", "sqs:ReceiveMessage", "STATES", &[]),
    ("DispatcherRole", "sqs:DeleteMessage", "STATES", &[]),
    ("DispatcherRole", "lambda:GetFunction", FUNCTION, &[]),
    ("DispatcherRole", "lambda:ListTags", FUNCTION, &[]),
    ("DispatcherRole", "lambda:GetFunctionEventInvokeConfig", FUNCTION, &[]),
    ("DispatcherRole", "lambda:ListFunctions", "*", &[]),
    ("DispatcherRole", "lambda:ListEventSourceMappings", "*", &[]),
    (
        "DispatcherRole",
        "events:ListTargetsByRule",
        "arn:aws:events:eu-west-1:123456789012:rule/orders",
        &[],
    ),
    ("DispatcherRole", "ecs:RunTask", DEFINITION, &[("ecs:cluster", "CLUSTER")]),
    ("DispatcherRole", "ecs:TagResource", "TASKS/1", &[("ecs:CreateAction", "RunTask")]),
    ("DispatcherRole", "ecs:DescribeTasks", "TASKS/1", &[]),
    ("DispatcherRole", "ecs:ListTasks", "*", &[("ecs:cluster", "CLUSTER")]),
    ("DispatcherRole", "ecs:DescribeTaskDefinition", "*", &[]),
    ("DispatcherRole", "ecs:RegisterTaskDefinition", "*", &[]),
    (
        "DispatcherRole",
        "elasticfilesystem:DescribeAccessPoints",
        "arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-1",
        &[],
    ),
    (
        "DispatcherRole",
        "logs:GetLogEvents",
        "arn:aws:logs:eu-west-1:123456789012:log-group:/immortal/immortal/runner:log-stream:immortal/runner/1",
        &[],
    ),
    (
        "DispatcherRole",
        "iam:PassRole",
        "TASK",
        &[("iam:PassedToService", "ecs-tasks.amazonaws.com")],
    ),
    (
        "DispatcherRole",
        "iam:PassRole",
        "EXECUTION",
        &[("iam:PassedToService", "ecs-tasks.amazonaws.com")],
    ),
    (
        "DispatcherRole",
        "logs:PutLogEvents",
        "arn:aws:logs:eu-west-1:123456789012:log-group:/immortal/immortal/dispatcher:*",
        &[],
    ),
    ("TaskRole", "lambda:GetFunction", FUNCTION, &[]),
    ("TaskRole", "lambda:GetFunctionEventInvokeConfig", FUNCTION, &[]),
    ("TaskRole", "lambda:ListEventSourceMappings", "*", &[]),
    (
        "TaskRole",
        "lambda:GetLayerVersion",
        "arn:aws:lambda:eu-west-1:580247275435:layer:LambdaInsightsExtension:64",
        &[],
    ),
    ("TaskRole", "ecr:GetAuthorizationToken", "*", &[]),
    (
        "TaskRole",
        "ecr:BatchGetImage",
        "arn:aws:ecr:eu-west-1:123456789012:repository/function",
        &[],
    ),
    (
        "TaskRole",
        "ecr:GetDownloadUrlForLayer",
        "arn:aws:ecr:eu-west-1:123456789012:repository/function",
        &[],
    ),
    ("ExecutionRole", "ecr:GetAuthorizationToken", "*", &[]),
    (
        "ExecutionRole",
        "ecr:BatchGetImage",
        "arn:aws:ecr:eu-west-1:123456789012:repository/immortal/python",
        &[],
    ),
    // A function's own image.
    (
        "ExecutionRole",
        "ecr:BatchGetImage",
        "arn:aws:ecr:eu-west-1:123456789012:repository/function",
        &[],
    ),
    (
        "ExecutionRole",
        "logs:CreateLogStream",
        "arn:aws:logs:eu-west-1:123456789012:log-group:/immortal/immortal/runner:*",
        &[],
    ),
];

/// What both do: the ledger, and the delivery of outcomes.
pub(crate) const BOTH: &[(&str, &str, &Known)] = &[
    ("s3:GetObject", "JOBS/ledger/jobs/1/job.json", &[("s3:ResourceAccount", "123456789012")]),
    ("s3:PutObject", "JOBS/ledger/jobs/1/job.json", &[("s3:ResourceAccount", "123456789012")]),
    ("s3:DeleteObject", "JOBS/ledger/active/1", &[("s3:ResourceAccount", "123456789012")]),
    (
        "s3:AbortMultipartUpload",
        "JOBS/ledger/jobs/1/response",
        &[("s3:ResourceAccount", "123456789012")],
    ),
    ("s3:ListBucket", "JOBS", &[("s3:prefix", "ledger/active/")]),
    ("sqs:SendMessage", "arn:aws:sqs:eu-west-1:123456789012:done", &[]),
    ("sqs:GetQueueAttributes", "arn:aws:sqs:eu-west-1:123456789012:done", &[]),
    ("sqs:GetQueueUrl", "arn:aws:sqs:eu-west-1:123456789012:done", &[]),
    ("sns:Publish", "arn:aws:sns:eu-west-1:123456789012:done", &[]),
    ("events:PutEvents", "arn:aws:events:eu-west-1:123456789012:event-bus/default", &[]),
    ("lambda:InvokeFunction", FUNCTION, &[]),
    ("states:SendTaskSuccess", WORKFLOW, &[]),
    ("states:SendTaskFailure", WORKFLOW, &[]),
    ("states:SendTaskHeartbeat", WORKFLOW, &[]),
];

/// What nobody may be able to do: each is near to something that is needed.
pub(crate) const DENIED: &[Call] = &[
    ("DispatcherRole", "sqs:ReceiveMessage", "arn:aws:sqs:eu-west-1:123456789012:other", &[]),
    (
        "DispatcherRole",
        "ecs:RunTask",
        DEFINITION,
        &[("ecs:cluster", "arn:aws:ecs:eu-west-1:123456789012:cluster/other")],
    ),
    (
        "DispatcherRole",
        "ecs:RunTask",
        "arn:aws:ecs:eu-west-1:123456789012:task-definition/other:1",
        &[("ecs:cluster", "CLUSTER")],
    ),
    ("DispatcherRole", "ecs:TagResource", "TASKS/1", &[("ecs:CreateAction", "CreateService")]),
    (
        "DispatcherRole",
        "iam:PassRole",
        "arn:aws:iam::123456789012:role/admin",
        &[("iam:PassedToService", "ecs-tasks.amazonaws.com")],
    ),
    ("DispatcherRole", "iam:PassRole", "TASK", &[("iam:PassedToService", "lambda.amazonaws.com")]),
    ("DispatcherRole", "sts:AssumeRole", "arn:aws:iam::123456789012:role/admin", &[]),
    ("DispatcherRole", "lambda:UpdateFunctionCode", FUNCTION, &[]),
    // What `attach` does, with the rights of whoever gives it.
    ("DispatcherRole", "lambda:UpdateFunctionConfiguration", FUNCTION, &[]),
    ("DispatcherRole", "lambda:PutFunctionEventInvokeConfig", FUNCTION, &[]),
    ("DispatcherRole", "lambda:TagResource", FUNCTION, &[]),
    ("DispatcherRole", "iam:PutRolePolicy", "arn:aws:iam::123456789012:role/resize", &[]),
    ("DispatcherRole", "iam:UpdateAssumeRolePolicy", "arn:aws:iam::123456789012:role/resize", &[]),
    ("TaskRole", "sts:AssumeRole", "arn:aws:iam::123456789012:role/admin", &[]),
    ("TaskRole", "sqs:ReceiveMessage", "FAILURES", &[]),
    ("TaskRole", "ecs:RunTask", DEFINITION, &[("ecs:cluster", "CLUSTER")]),
    (
        "TaskRole",
        "s3:GetObject",
        "arn:aws:s3:::other/key",
        &[("s3:ResourceAccount", "123456789012")],
    ),
    (
        "TaskRole",
        "s3:GetObject",
        "JOBS/ledger/jobs/1/job.json",
        &[("s3:ResourceAccount", "210987654321")],
    ),
    (
        "TaskRole",
        "s3:PutObject",
        "JOBS/code/dispatcher.zip",
        &[("s3:ResourceAccount", "123456789012")],
    ),
    ("TaskRole", "s3:ListBucket", "JOBS", &[("s3:prefix", "")]),
    ("TaskRole", "lambda:GetFunction", "arn:aws:lambda:eu-west-1:210987654321:function:f", &[]),
    (
        "ExecutionRole",
        "ecr:BatchGetImage",
        "arn:aws:ecr:eu-west-1:210987654321:repository/function",
        &[],
    ),
    (
        "ExecutionRole",
        "s3:GetObject",
        "JOBS/ledger/jobs/1/job.json",
        &[("s3:ResourceAccount", "123456789012")],
    ),
];

/// Actions that AWS asks about no resource.
pub(crate) const WITHOUT_RESOURCE: [&str; 6] = [
    "ecr:GetAuthorizationToken",
    "ecs:DescribeTaskDefinition",
    "ecs:ListTasks",
    "ecs:RegisterTaskDefinition",
    "lambda:ListEventSourceMappings",
    "lambda:ListFunctions",
];

/// Whose calls are made with other rights: AWS Batch and workers, which the stack does not have.
pub(crate) const OTHERS: [&str; 2] = ["dispatcher/src/launch/batch/", "runner/src/aws/inbox.rs"];

/// Commands that a person gives, with rights of their own: what only these call no role of the stack may do. docs/attach.md
/// names their rights.
pub(crate) const PEOPLES: [&str; 2] = ["dispatcher/src/attach/", "dispatcher/src/doctor/"];

/// Calls that need no statement of ours: a function's own role says itself that the runner may assume it.
pub(crate) const SAID_ELSEWHERE: [&str; 1] = ["sts:AssumeRole"];

const FUNCTION: &str = "arn:aws:lambda:eu-west-1:123456789012:function:resize";
const DEFINITION: &str =
    "arn:aws:ecs:eu-west-1:123456789012:task-definition/immortal-python-x86-64:3";
const WORKFLOW: &str = "arn:aws:states:eu-west-1:123456789012:stateMachine:orders";
pub(crate) const ROLES: [&str; 3] = ["DispatcherRole", "TaskRole", "ExecutionRole"];
