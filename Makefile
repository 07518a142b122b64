# Scrip. `make` alone lists what there is.

# No C compiler is needed, and none is used where there is one.
export CGO_ENABLED := 0

TEMPORAL_VERSION := 1.5.1
WORKFLOWCHECK    := go.temporal.io/sdk/contrib/tools/workflowcheck@v0.6.0
TEST_TIMEOUT     := 15m
PKG              ?= ./...
ARGS             ?=

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z\/-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  make test PKG=./store/...         test one part"
	@echo "  make test ARGS='-run Claim -v'    pass more to go test"

.PHONY: build
build: ## Build the one binary, ./scrip
	go build -o scrip .

.PHONY: run
run: build ## Start everything on this machine: Postgres, Temporal with its UI, worker, starter, sandbox
	@exec ./scrip dev $(ARGS)

.PHONY: test
test: bin/temporal ## Run every test; sets up what it needs
	go test -timeout $(TEST_TIMEOUT) $(ARGS) $(PKG)

.PHONY: bench
bench: bin/temporal ## Measure, as ratios to what this machine can do
	go test -run '^$$' -bench . -benchtime 3x -timeout 60m $(ARGS) ./bench/...

.PHONY: check
check: check-format check-vet check-workflows check-lint check-generated ## Everything that a reviewer should not have to say

.PHONY: check-format
check-format:
	@unformatted=$$(gofmt -l $$(go list -f '{{.Dir}}' ./...)); \
	if [ -n "$$unformatted" ]; then echo "run gofmt -w on:"; echo "$$unformatted"; exit 1; fi

.PHONY: check-vet
check-vet:
	go vet ./...

# Workflow code must give the same decisions on every replay.
.PHONY: check-workflows
check-workflows:
	go run $(WORKFLOWCHECK) -show-pos ./workflows/...

.PHONY: check-lint
check-lint:
	@if command -v golangci-lint >/dev/null; then golangci-lint run; \
	else echo "golangci-lint is not installed; skipped"; fi

# Generated files are committed; generating them again must change nothing.
.PHONY: check-generated
check-generated:
	@before=$$(git status --porcelain; git diff | cksum); go generate ./...; \
	after=$$(git status --porcelain; git diff | cksum); \
	if [ "$$before" != "$$after" ]; then echo "go generate changed files; commit them:"; git status --short; exit 1; fi

# Temporal's CLI holds its development server. The first build takes some minutes.
.PHONY: bin/temporal
bin/temporal: .scrip/bin/temporal-$(TEMPORAL_VERSION) ## Build Temporal's CLI into .scrip/bin, once

.scrip/bin/temporal-$(TEMPORAL_VERSION):
	@mkdir -p .scrip/bin
	@echo "building Temporal's CLI $(TEMPORAL_VERSION), once; about four minutes on two cores"
	go build -modfile=tools/go.mod -o $@.new github.com/temporalio/cli/cmd/temporal
	@mv $@.new $@

.PHONY: clean
clean: ## Remove the binary and everything kept under .scrip except the built Temporal CLI
	rm -f scrip
	@if [ -d .scrip ]; then find .scrip -mindepth 1 -maxdepth 1 ! -name bin -exec rm -rf {} +; fi
