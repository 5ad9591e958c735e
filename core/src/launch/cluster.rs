//! Several GPUs and nodes: vLLM's command under Kubernetes, and under Ray Serve LLM.

use super::export::{ConfigFile, Launch, Source, Target};
use super::vllm;
use super::yaml::Yaml;
use crate::error::PlanError;
use crate::plan::Plan;
use serde_json::{Map, Value};
use std::borrow::Cow;

/// What a replica is called.
fn name(source: &Source<'_>) -> String {
    let id = if source.model.id().is_empty() { "planned" } else { source.model.id() };
    id.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}

/// GPUs of one replica: the ranks that share its layers and heads.
fn gpus(options: &Map<String, Value>) -> Result<u64, PlanError> {
    let ranks = |option: &str| options.get(option).and_then(Value::as_u64).unwrap_or(1);
    let gpus = ranks("tensor_parallel_size").checked_mul(ranks("pipeline_parallel_size"));
    Ok(gpus.ok_or(crate::unit::Overflow)?)
}

/// A Deployment of `dp` replicas of `vllm serve` and a Service in front of them: `kubectl apply -f vllm.yaml`.
pub(super) fn kubernetes(
    options: &Map<String, Value>,
    plan: &Plan,
    source: &Source<'_>,
) -> Result<Launch, PlanError> {
    const FILE: &str = "vllm.yaml";
    let inner = vllm::write(options, plan, source)?;
    let (name, gpus) = (name(source), gpus(options)?);
    let args: Vec<Value> = inner.command.iter().skip(2).cloned().map(Value::from).collect();
    let variables = inner
        .variables
        .iter()
        .map(|(name, value)| Yaml::map([("name", (*name).into()), ("value", value.clone().into())]));
    let labels = || Yaml::map([("app", name.clone().into())]);
    let mut container = vec![
        ("name".into(), Yaml::from("vllm")),
        ("image".into(), format!("vllm/vllm-openai:v{}", inner.version).into()),
        ("args".into(), Value::Array(args).into()),
    ];
    let variables: Vec<Yaml> = variables.collect();
    if !variables.is_empty() {
        container.push((Cow::Borrowed("env"), Yaml::Items(variables)));
    }
    container.push(("ports".into(), Yaml::Items(vec![Yaml::map([("containerPort", 8000.into())])])));
    let limits = Yaml::map([("nvidia.com/gpu", gpus.into())]);
    container.push(("resources".into(), Yaml::map([("limits", limits)])));
    let ready = Yaml::map([("httpGet", Yaml::map([("path", "/health".into()), ("port", 8000.into())]))]);
    container.push(("readinessProbe".into(), ready));
    // Ranks of one replica talk through shared memory; a container's default of 64 MiB stops them.
    let mount = Yaml::map([("name", "shm".into()), ("mountPath", "/dev/shm".into())]);
    container.push(("volumeMounts".into(), Yaml::Items(vec![mount])));
    let shared = Yaml::map([("name", "shm".into()), ("emptyDir", Yaml::map([("medium", "Memory".into())]))]);
    let pod = Yaml::map([
        ("containers", Yaml::Items(vec![Yaml::Fields(container)])),
        ("volumes", Yaml::Items(vec![shared])),
    ]);
    let deployment = Yaml::map([
        ("apiVersion", "apps/v1".into()),
        ("kind", "Deployment".into()),
        ("metadata", Yaml::map([("name", name.clone().into())])),
        (
            "spec",
            Yaml::map([
                ("replicas", source.request.placement.dp.into()),
                ("selector", Yaml::map([("matchLabels", labels())])),
                ("template", Yaml::map([("metadata", Yaml::map([("labels", labels())])), ("spec", pod)])),
            ]),
        ),
    ]);
    let port = Yaml::map([("port", 8000.into()), ("targetPort", 8000.into())]);
    let service = Yaml::map([
        ("apiVersion", "v1".into()),
        ("kind", "Service".into()),
        ("metadata", Yaml::map([("name", name.clone().into())])),
        ("spec", Yaml::map([("selector", labels()), ("ports", Yaml::Items(vec![port]))])),
    ]);
    let mut launch = Launch::of(Target::Kubernetes);
    launch.file =
        Some(ConfigFile { name: FILE, text: format!("{}---\n{}", deployment.text(), service.text()) });
    launch.command = ["kubectl", "apply", "-f", FILE].map(str::to_owned).to_vec();
    launch.notes = inner.notes;
    launch.notes.push(
        format!(
            "{gpus} GPU(s) of one node a replica: a replica over several nodes needs a LeaderWorkerSet or Ray"
        )
        .into(),
    );
    Ok(launch)
}

/// A Ray Serve LLM application: `serve run serve.yaml` on a Ray cluster.
pub(super) fn ray_serve(
    options: &Map<String, Value>,
    plan: &Plan,
    source: &Source<'_>,
) -> Result<Launch, PlanError> {
    const FILE: &str = "serve.yaml";
    let inner = vllm::write(options, plan, source)?;
    let mut engine: Vec<(Cow<'static, str>, Yaml)> = Vec::new();
    if !options.contains_key("max_model_len") {
        engine.push(("max_model_len".into(), plan.context.get().into()));
    }
    for (option, value) in options {
        match option.as_str() {
            // Said in a note; the GPU decides.
            "platform" => {}
            "num_speculative_tokens" => {
                let text = vllm::speculative(options, source).into_iter().nth(1).unwrap_or_default();
                let config: Value = serde_json::from_str(&text)
                    .map_err(|e| PlanError::invalid("engine.num_speculative_tokens", e.to_string()))?;
                engine.push(("speculative_config".into(), config.into()));
            }
            _ => engine.push((option.clone().into(), value.clone().into())),
        }
    }
    let replicas = source.request.placement.dp;
    let scaling = Yaml::map([("min_replicas", replicas.into()), ("max_replicas", replicas.into())]);
    let mut model = vec![
        (
            Cow::Borrowed("model_loading_config"),
            Yaml::map([("model_id", name(source).into()), ("model_source", source.repository().into())]),
        ),
        ("deployment_config".into(), Yaml::map([("autoscaling_config", scaling)])),
        ("engine_kwargs".into(), Yaml::Fields(engine)),
    ];
    if !inner.variables.is_empty() {
        let variables =
            inner.variables.iter().map(|(name, value)| (Cow::Borrowed(*name), value.clone().into()));
        model.push(("runtime_env".into(), Yaml::map([("env_vars", Yaml::Fields(variables.collect()))])));
    }
    let application = Yaml::map([
        ("name", name(source).into()),
        ("route_prefix", "/".into()),
        ("import_path", Value::from("ray.serve.llm:build_openai_app").into()),
        ("args", Yaml::map([("llm_configs", Yaml::Items(vec![Yaml::Fields(model)]))])),
    ]);
    let mut launch = Launch::of(Target::RayServe);
    let text = Yaml::map([("applications", Yaml::Items(vec![application]))]).text();
    launch.file = Some(ConfigFile { name: FILE, text });
    launch.command = ["serve", "run", FILE].map(str::to_owned).to_vec();
    launch.notes = inner.notes;
    launch.notes.push(
        format!("{} GPU(s) a replica; Ray places pipeline stages on several nodes", gpus(options)?).into(),
    );
    Ok(launch)
}
