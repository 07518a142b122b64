# Scrip. `make` alone lists what there is.

# No C compiler is needed, and none is used where there is one.
export CGO_ENABLED := 0

WORKFLOWCHECK := go.temporal.io/sdk/contrib/tools/workflowcheck@v0.6.0
GOSEC         := github.com/securego/gosec/v2/cmd/gosec@v2.30.0
GOVULNCHECK   := golang.org/x/vuln/cmd/govulncheck@v1.9.0
TEMPORAL      := v1.32.1
# Errors of closing what was read, and of writing to hashes.
NOT_ASKED     := G104
# What runs on a developer's machine, on files and programs that they named.
NOT_SERVED    := (cli|config|dev|prove|integrations/conformance)/.*:G204,G304,G703;prove/.*:G112,G115
GOVULNDB      ?= https://vuln.go.dev
TEST_TIMEOUT  := 30m
N             ?= 1000000x
PKG           ?= ./...
ARGS          ?=
FIGURE        ?= .
# Inputs are bred for what they reach in our own code. `go test -fuzz` would count
# that of every module that is linked in, which takes several times as long.
GUIDED        := -gcflags=scrip.dev/scrip/...=-d=libfuzzer
FUZZED        := $(CURDIR)/.scrip/fuzz
FINDINGS      := $(CURDIR)/.scrip/findings.jsonl

.DEFAULT_GOAL := help

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z\/-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  make run SCRIP_PORT=8081               other ports: SCRIP_TEMPORAL_PORT, SCRIP_UI_PORT"
	@echo "  make test PKG=./store/...              test one part"
	@echo "  make test ARGS='-run Claim -v'         pass more to go test"
	@echo "  make fuzz PKG=./store N=1m             fuzz one part, each target for a minute"
	@echo "  make histories RELEASE=v0.2            name the release that histories are of"

.PHONY: build
build: ## Build the one binary, ./scrip
	@test -x scrip || echo "building ./scrip; the first time takes some minutes"
	@go build -o scrip .

.PHONY: run
run: build ## Start everything on this machine: Postgres, Temporal with its UI, worker, starter, sandbox
	@exec ./scrip dev $(ARGS)

.PHONY: test
test: temporal ## Run every test; sets up what it needs
ifeq ($(PKG),./...)
	go test -timeout $(TEST_TIMEOUT) $(ARGS) $$(go list ./... | grep -v /prove/)
	go test -timeout $(TEST_TIMEOUT) -p 1 $(ARGS) ./prove/...
else
	go test -timeout $(TEST_TIMEOUT) $(ARGS) $(PKG)
endif

.PHONY: prove
prove: temporal ## Prove the nine promises at full size, and print what was tried and found; takes hours
	@mkdir -p .scrip && : > $(FINDINGS) && go test -list '^TestPromise' ./prove/... > .scrip/proofs
	@SCRIP_PROVE=full SCRIP_PROVE_FINDINGS=$(FINDINGS) go test -count=1 -p 1 -timeout 8h $(ARGS) ./prove/...; status=$$?; \
	go run ./prove/proof/table $(FINDINGS) .scrip/proofs; exit $$status

.PHONY: bench
bench: temporal-server ## Measure each figure beside its limit, with Temporal on Postgres; takes hours. FIGURE=Claim: one of them
	go test -run '^$$' -bench '$(FIGURE)' -benchtime 1x -timeout 8h ./bench $(ARGS)

.PHONY: fuzz
fuzz: ## Feed every parser of outside input N inputs (N=1000000x, or a time: N=30s), one after the other
	@mkdir -p $(FUZZED); \
	for folder in $$(go list -f '{{.Dir}}' $(PKG)); do \
		grep -qs '^func Fuzz' $$folder/*_test.go || continue; \
		go test -c $(GUIDED) -o $(FUZZED)/test $$folder || exit 1; \
		for target in $$($(FUZZED)/test -test.list '^Fuzz'); do \
			echo "== $$(basename $$folder) $$target"; \
			(cd $$folder && $(FUZZED)/test -test.run '^$$' -test.fuzz "^$$target\$$" -test.fuzztime $(N) -test.parallel 2 \
				-test.timeout 0 -test.fuzzcachedir $(FUZZED)/inputs/$$(basename $$folder) $(ARGS)) || exit 1; \
		done; \
	done

.PHONY: check
check: check-format check-vet check-workflows check-docs check-security check-vulnerabilities ## Everything that a reviewer should not have to say

.PHONY: check-format
check-format: ## Is every Go file as gofmt writes it?
	@unformatted=$$(gofmt -l .); \
	if [ -n "$$unformatted" ]; then echo "run gofmt -w on:"; echo "$$unformatted"; exit 1; fi

.PHONY: check-vet
check-vet: ## Does go vet find mistakes?
	go vet ./...

.PHONY: check-workflows
check-workflows: ## Would workflow code decide the same on every replay? (Temporal's workflowcheck)
	go run $(WORKFLOWCHECK) -show-pos ./workflows/...

.PHONY: check-docs
check-docs: ## Is docs/integrations.md what the integrations say? `make docs` writes it
	go test -run TestMarkdown_IsThePageInTheDocs ./integrations/catalog

.PHONY: check-security
check-security: ## What does gosec find? Each exception is explained where it stands
	go run $(GOSEC) -quiet -exclude-dir=.scrip -exclude=$(NOT_ASKED) --exclude-rules="$(NOT_SERVED)" ./...

.PHONY: check-vulnerabilities
check-vulnerabilities: ## Is a known vulnerability reached? GOVULNDB names another database than the public one
	go run $(GOVULNCHECK) -db $(GOVULNDB) ./...

.PHONY: docs
docs: ## Write docs/integrations.md anew
	go test -count=1 -run TestMarkdown_IsThePageInTheDocs ./integrations/catalog -update

.PHONY: histories
histories: temporal ## Record a history of every example campaign, which later workflow code must replay
	go test -count=1 -run TestExampleCampaigns ./e2e -record $(or $(RELEASE),$(error name the release: make histories RELEASE=v0.2))

.PHONY: temporal
temporal: ## Build Temporal's command line tool, which holds its development server, once
	@go run ./dev/temporal/buildcli >/dev/null

.PHONY: temporal-server
temporal-server: ## Build Temporal's server for production, which `make bench` runs on Postgres
	@GOBIN=$(CURDIR)/.scrip/bin/temporal-server go install -ldflags='-s -w' go.temporal.io/server/cmd/server@$(TEMPORAL) go.temporal.io/server/cmd/tools/sql@$(TEMPORAL)

.PHONY: clean
clean: ## Remove the binary and everything kept under .scrip except the built Temporal tool
	rm -f scrip
	@if [ -d .scrip ]; then find .scrip -mindepth 1 -maxdepth 1 ! -name bin -exec rm -rf {} +; fi
