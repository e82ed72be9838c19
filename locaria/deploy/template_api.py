"""The template's WebSocket API: one Lambda function behind every route."""

from __future__ import annotations

from troposphere import GetAtt, Ref, Sub, Template, apigatewayv2, awslambda

from locaria.deploy.functions import WEBSOCKET_API
from locaria.deploy.template_functions import add_function
from locaria.deploy.template_parts import allow, arn, named

CONDITION = f"Has{WEBSOCKET_API.logical}"
STAGE = "v1"
# Who may connect: parameter, and variable of websocketApi (see docs/websocket_api.md).
IDENTITY = {
    "JwksUrl": "LOCARIA_JWKS_URL",
    "JwtIssuer": "LOCARIA_JWT_ISSUER",
    "JwtAudience": "LOCARIA_JWT_AUDIENCE",
    "JwtAlgorithms": "LOCARIA_JWT_ALGORITHMS",
    "JwtRoleClaim": "LOCARIA_JWT_ROLE_CLAIM",
    "JwtRoles": "LOCARIA_JWT_ROLES",
    "WebOrigins": "LOCARIA_WEB_ORIGINS",
}
ROUTES = {"Connect": "$connect", "Disconnect": "$disconnect", "Default": "$default"}


def add_websocket_api(template: Template) -> None:
    """The API, its three routes, its stage, and the function that may post to its connections."""
    template.add_resource(
        apigatewayv2.Api(
            "WebsocketGateway",
            Name=named("-websocket"),
            ProtocolType="WEBSOCKET",
            RouteSelectionExpression="$request.body.method",
        )
    )
    connections = [
        arn("execute-api", f"${{WebsocketGateway}}/{STAGE}/{verb}/@connections/*")
        for verb in ("POST", "DELETE")
    ]
    endpoint = "https://${WebsocketGateway}.execute-api.${AWS::Region}.${AWS::URLSuffix}"
    add_function(
        template,
        WEBSOCKET_API,
        [allow("execute-api:ManageConnections", connections)],
        {variable: Ref(parameter) for parameter, variable in IDENTITY.items()}
        | {"LOCARIA_CONNECTIONS_URL": Sub(f"{endpoint}/{STAGE}")},
    )
    _add_routes(template)
    template.add_resource(
        awslambda.Permission(
            "WebsocketPermission",
            Condition=CONDITION,
            Action="lambda:InvokeFunction",
            FunctionName=Ref(WEBSOCKET_API.logical),
            Principal="apigateway.amazonaws.com",
            SourceArn=arn("execute-api", f"${{WebsocketGateway}}/{STAGE}/*"),
        )
    )


def _add_routes(template: Template) -> None:
    function = GetAtt(WEBSOCKET_API.logical, "Arn")
    uri = "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${F}"
    template.add_resource(
        apigatewayv2.Integration(
            "WebsocketIntegration",
            Condition=CONDITION,
            ApiId=Ref("WebsocketGateway"),
            IntegrationType="AWS_PROXY",
            IntegrationMethod="POST",
            IntegrationUri=Sub(f"{uri}/invocations", F=function),
        )
    )
    for name, key in ROUTES.items():
        template.add_resource(
            apigatewayv2.Route(
                f"Websocket{name}Route",
                Condition=CONDITION,
                ApiId=Ref("WebsocketGateway"),
                RouteKey=key,
                # The function itself checks who connects: see docs/websocket_api.md.
                AuthorizationType="NONE",
                Target=Sub("integrations/${WebsocketIntegration}"),
            )
        )
    template.add_resource(
        apigatewayv2.Stage(
            "WebsocketStage",
            Condition=CONDITION,
            # An API without a route can't be deployed.
            DependsOn=[f"Websocket{name}Route" for name in ROUTES],
            ApiId=Ref("WebsocketGateway"),
            StageName=STAGE,
            AutoDeploy=True,
            DefaultRouteSettings=apigatewayv2.RouteSettings(
                ThrottlingBurstLimit=200, ThrottlingRateLimit=100
            ),
        )
    )
