//! Where code is, as GetFunction and GetLayerVersionByArn say it, or which hole of their answers is in the
//! way and what to do about it. Pure. Source: the Lambda API
//! reference, `FunctionCodeLocation` and `LayerVersionContentOutput`.

use aws_sdk_lambda::types::{
    FunctionCodeLocation, FunctionConfiguration, LayerVersionContentOutput, ResolvedS3Object,
};

use crate::function::{Image, Location, S3Object};

/// A function's code.
pub(super) fn of_function(code: Option<&FunctionCodeLocation>) -> Result<Location, String> {
    let code = code.ok_or("has no Code: its code cannot be fetched")?;
    if let Some(error) = code.error() {
        let text = |text: Option<&str>| text.unwrap_or("not said").to_owned();
        let (kind, message) = (text(error.error_code()), text(error.message()));
        return Err(format!(
            "hides the code: {kind}: {message}; {}",
            remedy(code.source_kms_key_arn())
        ));
    }
    found(code.location(), code.resolved_s3_object()).ok_or_else(|| {
        format!(
            "has no Code.Location: its code cannot be fetched; {}",
            remedy(code.source_kms_key_arn())
        )
    })
}

/// A layer's code.
pub(super) fn of_layer(content: Option<&LayerVersionContentOutput>) -> Result<Location, String> {
    let location =
        content.and_then(|content| found(content.location(), content.resolved_s3_object()));
    location.ok_or_else(|| {
        "has no Content.Location: the layer's code cannot be fetched; ask its owner to share it, or publish a copy of your own".to_owned()
    })
}

/// A function's container image, and what it says instead of the image's own configuration.
pub(super) fn of_image(
    code: Option<&FunctionCodeLocation>,
    configuration: &FunctionConfiguration,
) -> Result<Image, String> {
    let uri = code.and_then(|code| code.resolved_image_uri().or(code.image_uri()));
    let reference = uri.ok_or("has no Code.ImageUri: its image cannot be pulled")?.to_owned();
    let Some(answer) = configuration.image_config_response() else {
        return Ok(Image { reference, ..Image::default() });
    };
    if let Some(error) = answer.error() {
        let text = |text: Option<&str>| text.unwrap_or("not said").to_owned();
        let (kind, message) = (text(error.error_code()), text(error.message()));
        return Err(format!("hides the image's configuration: {kind}: {message}"));
    }
    let given = answer.image_config();
    let list = |list: &[String]| Some(list.to_vec()).filter(|list| !list.is_empty());
    Ok(Image {
        reference,
        entry_point: given.and_then(|given| list(given.entry_point())),
        command: given.and_then(|given| list(given.command())),
        directory: given.and_then(|given| given.working_directory()).map(str::to_owned),
    })
}

/// An address, or an object of the account's own where Lambda only refers to one.
fn found(url: Option<&str>, object: Option<&ResolvedS3Object>) -> Option<Location> {
    let own = || {
        let object = object?;
        Some(Location::S3(S3Object {
            bucket: object.s3_bucket()?.to_owned(),
            key: object.s3_key()?.to_owned(),
            version: object.s3_object_version().map(str::to_owned),
        }))
    };
    url.map(|url| Location::Presigned(url.to_owned().into())).or_else(own)
}

fn remedy(key: Option<&str>) -> String {
    let key = key.unwrap_or("the key that encrypts it");
    format!("grant kms:Decrypt on {key} to the role that runs this")
}

#[cfg(test)]
mod tests {
    use aws_sdk_lambda::types::FunctionCodeLocationError;
    use aws_sdk_lambda::types::builders::FunctionCodeLocationBuilder;

    use super::*;

    fn of(code: FunctionCodeLocationBuilder) -> Result<Location, String> {
        of_function(Some(&code.build()))
    }

    #[test]
    fn an_address_comes_before_an_object() {
        let object = ResolvedS3Object::builder().s3_bucket("b").s3_key("k").s3_object_version("v");
        let code = || FunctionCodeLocation::builder().resolved_s3_object(object.clone().build());
        assert!(matches!(of(code().location("https://u")), Ok(Location::Presigned(_))));
        let Ok(Location::S3(found)) = of(code()) else { panic!() };
        assert_eq!((&*found.bucket, &*found.key, found.version.as_deref()), ("b", "k", Some("v")));
    }

    #[test]
    fn an_image_is_named_by_its_digest_and_overridden_in_part() {
        use aws_sdk_lambda::types::{ImageConfig, ImageConfigResponse};
        let given = ImageConfig::builder().command("app.run").build();
        let given = ImageConfigResponse::builder().image_config(given).build();
        let configuration = FunctionConfiguration::builder().image_config_response(given).build();
        let code =
            FunctionCodeLocation::builder().image_uri("r/a:1").resolved_image_uri("r/a@sha256:1");
        let image = of_image(Some(&code.build()), &configuration).unwrap();
        assert_eq!((&*image.reference, image.entry_point), ("r/a@sha256:1", None));
        assert_eq!(image.command.unwrap(), ["app.run"]);
    }

    #[test]
    fn each_hole_is_named_with_its_remedy() {
        let code = FunctionCodeLocation::builder;
        let denied =
            FunctionCodeLocationError::builder().error_code("AccessDeniedException").build();
        let table = [
            (
                code().error(denied.clone()),
                "hides the code: AccessDeniedException: not said; grant kms:Decrypt on the key",
            ),
            (
                code().error(denied).source_kms_key_arn("arn:aws:kms:k"),
                "grant kms:Decrypt on arn:aws:kms:k to",
            ),
            (code(), "has no Code.Location"),
            (
                code().resolved_s3_object(ResolvedS3Object::builder().build()),
                "has no Code.Location",
            ),
        ];
        for (code, expected) in table {
            let found = of(code).unwrap_err();
            assert!(found.contains(expected), "{found}");
        }
        assert!(of_function(None).is_err() && of_layer(None).is_err());
    }
}
