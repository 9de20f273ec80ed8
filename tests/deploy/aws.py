"""The server of tests/src/moto_server.py, and what its CloudFormation lacks of what the template uses: six types of resources, made with moto's own
services, and the value of a parameter. A type that nobody knows is an error, not a warning.

Who calls what with the rights of a role is written to the file CALLS, a line each: moto's own check of rights knows neither
resources nor conditions."""

import json
import os
import re
import runpy
from pathlib import Path

from moto.applicationautoscaling.models import applicationautoscaling_backends
from moto.cloudformation import parsing
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.authorization import ActionAuthenticatorMixin
from moto.core.common_models import CloudFormationModel
from moto.iam.access_control import PermissionResult
from moto.logs.models import logs_backends
from moto.s3.models import FakeBucket, s3_backends
from moto.sqs.models import sqs_backends
from moto.ssm.models import Parameter
from moto.sts.models import sts_backends


TARGETS = {}


class Made:
    """A resource: its name, and its attributes."""

    def __init__(self, name, **attributes):
        self.name, self.attributes = name, attributes

    @property
    def physical_resource_id(self):
        return self.name

    def get_cfn_attribute(self, attribute):
        return self.attributes[attribute]

    @classmethod
    def update_from_cloudformation_json(cls, original_resource, name, json, account, region):
        return cls.create_from_cloudformation_json(original_resource.name, json, account, region)

    @classmethod
    def delete_from_cloudformation_json(cls, name, json, account, region):
        """They go with what they belong to."""

    @classmethod
    def create_from_cloudformation_json(cls, name, json, account, region, **_):
        return cls(name, **cls.make(name, json["Properties"], account, region) or {})


def resource(kind):
    """A type of resources from what makes one."""

    def of(make):
        members = {"__module__": parsing.__name__, "make": staticmethod(make), "cloudformation_type": staticmethod(lambda: kind)}
        return type(make.__name__, (Made, CloudFormationModel), members)

    return of


@resource("AWS::SQS::QueuePolicy")
def queue_policy(name, properties, account, region):
    for url in properties["Queues"]:
        attributes = {"Policy": json.dumps(properties["PolicyDocument"])}
        sqs_backends[account][region].set_queue_attributes(url.rsplit("/", 1)[1], attributes)


# This server speaks plain HTTP, which the policy of the bucket refuses; moto keeps to policies and sees no conditions.
FakeBucket.get_permission = lambda *_: PermissionResult.NEUTRAL


@resource("AWS::S3::BucketPolicy")
def bucket_policy(name, properties, account, region):
    policy = json.dumps(properties["PolicyDocument"]).encode()
    s3_backends[account]["aws"].put_bucket_policy(properties["Bucket"], policy)


@resource("AWS::Logs::MetricFilter")
def metric_filter(name, properties, account, region):
    made = [{key[0].lower() + key[1:]: value for key, value in one.items()} for one in properties["MetricTransformations"]]
    for one in made:
        one["dimensions"] = {dimension["Key"]: dimension["Value"] for dimension in one.get("dimensions", [])}
    logs = logs_backends[account][region]
    logs.put_metric_filter(name, properties["FilterPattern"], properties["LogGroupName"], made)


@resource("AWS::CloudWatch::Alarm")
def alarm(name, properties, account, region):
    # What is computed of several metrics is checked by nobody here.
    made = cloudwatch_backends[account][region].put_metric_alarm(
        name=name, namespace=properties.get("Namespace"), metric_name=properties.get("MetricName"),
        comparison_operator=properties["ComparisonOperator"], evaluation_periods=int(properties["EvaluationPeriods"]),
        period=int(properties.get("Period", 60)), threshold=float(properties["Threshold"]),
        statistic=properties.get("Statistic"), description=properties["AlarmDescription"],
        dimensions=properties.get("Dimensions", []), alarm_actions=properties.get("AlarmActions", []),
        treat_missing_data=properties["TreatMissingData"],
    )
    return {"Arn": made.alarm_arn}


@resource("AWS::ApplicationAutoScaling::ScalableTarget")
def scalable_target(name, properties, account, region):
    made = applicationautoscaling_backends[account][region].register_scalable_target(
        properties["ServiceNamespace"], properties["ResourceId"], properties["ScalableDimension"],
        int(properties["MinCapacity"]), int(properties["MaxCapacity"]), None, None,
    )
    TARGETS[name] = made
    return {}


@resource("AWS::ApplicationAutoScaling::ScalingPolicy")
def scaling_policy(name, properties, account, region):
    target, kind = TARGETS[properties["ScalingTargetId"]], properties["PolicyType"]
    body = properties.get("TargetTrackingScalingPolicyConfiguration") or properties["StepScalingPolicyConfiguration"]
    applicationautoscaling_backends[account][region].put_scaling_policy(
        properties["PolicyName"], target.service_namespace, target.resource_id, target.scalable_dimension, body, kind,
    )


Parameter.has_cfn_attr = classmethod(lambda cls, attribute: attribute in ("Type", "Value"))
Parameter.get_cfn_attribute = lambda self, attribute: {"Type": self.parameter_type, "Value": self.value}[attribute]

known = parsing.resource_class_from_type


def known_or_refused(kind):
    found = known(kind)
    if found is None and kind not in parsing.NULL_MODELS:
        raise parsing.ValidationError(kind, f"moto's CloudFormation does not know {kind}: tests/deploy/aws.py can make it")
    return found


parsing.resource_class_from_type = known_or_refused


def note(self, request, resource="*"):
    """The role whose session made the call, the action, and what it is about."""
    signed = re.search(r"Credential=([^/]+)/[^/]+/[^/]+/([^/]+)/", self.headers.get("Authorization", ""))
    sessions = sts_backends[self.current_account]["aws"].assumed_roles
    role = next((one.role_arn for one in sessions if signed and one.access_key_id == signed[1]), None)
    if role is None:
        return
    queue = re.search(rb'"Queue(?:Url": ?"[^"]*/|Name": ?")([^"/]+)"', self.raw_body or b"")
    call = {
        "role": role, "action": f"{signed[2]}:{self._get_action()}", "resource": resource,
        "queue": queue and queue[1].decode(), "prefix": self.querystring.get("prefix", [None])[0],
    }
    with open(os.environ["CALLS"], "a", encoding="utf-8") as file:
        file.write(json.dumps(call) + "\n")


if "CALLS" in os.environ:
    ActionAuthenticatorMixin._authenticate_and_authorize_action = note

runpy.run_path(str(Path(__file__).parents[1] / "src/moto_server.py"), run_name="__main__")
