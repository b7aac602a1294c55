# Kubernetes, included by the Makefile. The work is done by `sam2vlm cluster`; --help there tells the details.

# EXPERIMENT names the release. NAMESPACE, VALUES (a values file) and SET ("a=b c=d") are optional.
EXPERIMENT ?= demo
NAMESPACE ?=
PRESET ?=
VALUES ?=
SET ?=
PHASE ?= all
# Images: their name up to -cpu and -gpu, and their base where the default one cannot be had.
IMAGE_PREFIX ?= sam2vlm
IMAGES ?= cpu gpu
BASE_IMAGE ?=
IMAGE_BUILDER ?=

CLUSTER := $(BIN)/sam2vlm cluster
WHERE = --experiment '$(EXPERIMENT)' $(if $(NAMESPACE),--namespace '$(NAMESPACE)')

##@ On Kubernetes
.PHONY: tools
tools: $(READY) ## Put helm and kubectl into .venv where PATH has none that is new enough
	@$(BIN)/python tools/helm_and_kubectl.py

.PHONY: images
images: $(READY) ## Build the container images (IMAGES="cpu gpu", BASE_IMAGE=, IMAGE_PREFIX=)
	$(CLUSTER) images $(IMAGES) --prefix '$(IMAGE_PREFIX)' $(if $(BASE_IMAGE),--base '$(BASE_IMAGE)') \
	  $(if $(IMAGE_BUILDER),--builder '$(IMAGE_BUILDER)')

.PHONY: train
train: $(READY) tools ## Install an experiment, upload its export, follow it (EXPORT=, PRESET=, EXPERIMENT=, NAMESPACE=)
	@test -n '$(EXPORT)' || { echo 'make train: EXPORT=path/to/export.zip says what to train on' >&2; exit 78; }
	@$(CLUSTER) train $(WHERE) --export '$(EXPORT)' $(if $(PRESET),--preset '$(PRESET)') \
	  --set images.cpu.repository='$(IMAGE_PREFIX)-cpu' --set images.gpu.repository='$(IMAGE_PREFIX)-gpu' \
	  $(foreach file,$(VALUES),--values '$(file)') $(foreach value,$(SET),--set '$(value)')

.PHONY: status
status: $(READY) tools ## Show how far each phase of EXPERIMENT is
	@$(CLUSTER) status $(WHERE)

.PHONY: logs
logs: $(READY) tools ## Follow the logs of EXPERIMENT (PHASE=prepare|train|evaluate|export|coordinator)
	@$(CLUSTER) logs $(WHERE) --phase '$(PHASE)'

.PHONY: fetch
fetch: $(READY) tools ## Copy reports, adapter and merged model of EXPERIMENT to runs/EXPERIMENT
	@$(CLUSTER) fetch $(WHERE)

.PHONY: uninstall
uninstall: $(READY) tools ## Remove EXPERIMENT's release; its volume stays
	@$(CLUSTER) uninstall $(WHERE)

.PHONY: lint-chart
lint-chart: $(READY) tools ## helm lint --strict, with the defaults and with everything on
	@$(BIN)/python -m pytest -q -p no:cacheprovider tests/chart -k lint

.PHONY: test-cluster
test-cluster: $(READY) tools ## The tests on a real cluster: KUBECONFIG's, or one that they bring up
	OMP_NUM_THREADS=1 $(BIN)/pytest -m cluster --timeout 3600 tests/cluster
