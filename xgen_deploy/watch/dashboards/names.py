"""What the dashboards' queries are limited to, by their variables. Pure."""

from xgen_deploy.watch.dashboards.panel import Variable

HOST = 'project=~"$project",host=~"$host"'
MODEL = f'{HOST},model=~"$model"'
PROJECT = Variable("project", "Project", "label_values(xgen_collected_timestamp_seconds, project)")
HOSTS = Variable(
    "host", "Host", 'label_values(xgen_collected_timestamp_seconds{project=~"$project"}, host)'
)
MODELS = Variable("model", "Model", 'label_values(xgen_instance_up{project=~"$project"}, model)')
SERVED = Variable(
    "model", "Model", 'label_values(xgen_gateway_model_servers{project=~"$project"}, model)'
)
