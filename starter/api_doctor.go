package starter

import (
	"context"
	"net/http"
	"slices"
	"strings"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"

	"scrip.dev/scrip/store"
	"scrip.dev/scrip/workflows"
)

func (a *api) doctorRoutes() {
	handle(a, store.ScopeRead, describe(op(http.MethodPost, "/v1/doctor", "doctor", "Operation", "Check everything that Scrip needs, and say what to do"),
		"Database, Temporal and its search attributes, the dispatcher, the public address, and each connection. Changes nothing."),
		func(ctx context.Context, _ *struct{}) (*answer[checked], error) {
			var out checked
			for _, check := range a.ready(ctx).Checks {
				out.Checks = append(out.Checks, connectionCheck{check.Name, check.OK, orElse(check.Detail, "answers")})
			}
			out.Checks = append(out.Checks, a.checkSearchAttributes(ctx), a.checkPublicURL(ctx))
			out.Checks = append(out.Checks, a.checkConnections(ctx)...)
			return reply(out)
		})
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// checkSearchAttributes looks whether journeys can be found in Temporal by
// campaign, contact and version.
func (a *api) checkSearchAttributes(ctx context.Context) connectionCheck {
	const name = "search attributes"
	if a.Temporal == nil {
		return connectionCheck{name, false, "Temporal is not configured; set TEMPORAL_ADDRESS"}
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	missing, err := MissingSearchAttributes(ctx, a.Temporal)
	switch {
	case err != nil:
		return connectionCheck{name, false, "Temporal could not be asked; where it lists no attributes to clients, check them in its UI"}
	case len(missing) > 0:
		return connectionCheck{name, false, "missing; make them with: " + strings.Join(missing, " && ")}
	}
	return connectionCheck{name, true, "are there"}
}

// MissingSearchAttributes gives one command of the temporal CLI for each search
// attribute that the namespace lacks.
func MissingSearchAttributes(ctx context.Context, temporal client.Client) ([]string, error) {
	listed, err := temporal.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace()})
	if err != nil {
		return nil, err
	}
	var missing []string
	for _, wanted := range []struct {
		name string
		kind enums.IndexedValueType
		word string
	}{
		{workflows.AttributeCampaign, enums.INDEXED_VALUE_TYPE_KEYWORD, "Keyword"},
		{workflows.AttributeContact, enums.INDEXED_VALUE_TYPE_KEYWORD, "Keyword"},
		{workflows.AttributeVersion, enums.INDEXED_VALUE_TYPE_INT, "Int"},
	} {
		if listed.CustomAttributes[wanted.name] != wanted.kind {
			missing = append(missing, "temporal operator search-attribute create --name "+wanted.name+" --type "+wanted.word)
		}
	}
	return missing, nil
}

// namespace is the Temporal namespace that the environment names.
func namespace() string {
	options, err := envconfig.LoadDefaultClientOptions()
	if err != nil || options.Namespace == "" {
		return client.DefaultNamespace
	}
	return options.Namespace
}

// checkPublicURL asks for our own health where vendors would call us.
func (a *api) checkPublicURL(ctx context.Context) connectionCheck {
	const name = "public address"
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.Config.PublicURL+"/healthz", nil)
	if err != nil {
		return connectionCheck{name, false, "public_url in scrip.yaml is not an address"}
	}
	response, err := (&http.Client{Timeout: checkTimeout}).Do(request)
	if err != nil {
		return connectionCheck{name, false, a.Config.PublicURL + " does not lead here; set public_url in scrip.yaml to where the world reaches this starter"}
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return connectionCheck{name, false, a.Config.PublicURL + "/healthz answers " + response.Status + "; something else answers there"}
	}
	live := slices.ContainsFunc(a.Connections.Names(), func(name string) bool {
		opened, err := a.Connections.Get(name)
		return err == nil && opened.Live
	})
	if live && !strings.HasPrefix(a.Config.PublicURL, "https://") {
		return connectionCheck{name, false, a.Config.PublicURL + " leads here, but vendors ask for https; put a proxy with a certificate before it"}
	}
	return connectionCheck{name, true, a.Config.PublicURL + " leads here"}
}
