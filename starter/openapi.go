package starter

import (
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

const description = `What the scrip command can do, this API can.

Send a key with each request: ` + "`Authorization: Bearer scrip_…`" + `. A key has scopes: *read*, *write*, *events*, *codes*, and *admin*, which covers them all; each route names the one it asks for.

Errors are application/problem+json; ` + "`code`" + ` is stable, ` + "`detail`" + ` says what to do. Routes that create something take an Idempotency-Key. Lists come in parts: pass ` + "`next`" + ` as ` + "`cursor`" + ` for the next one.`

func apiConfig(version string) huma.Config {
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info:    &huma.Info{Title: "Scrip", Version: version, Description: description},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					securityScheme: {Type: "http", Scheme: "bearer", Description: "An API key, made with `scrip key create`."},
				},
			},
		},
		Formats:                      map[string]huma.Format{"application/json": huma.DefaultJSONFormat, "json": huma.DefaultJSONFormat},
		DefaultFormat:                "application/json",
		RejectUnknownQueryParameters: true,
	}
}

// serveOpenAPI serves the description of all routes, made once.
func (a *api) serveOpenAPI(mux *http.ServeMux) {
	spec, err := json.Marshal(a.huma.OpenAPI())
	if err != nil {
		panic("describing the API: " + err.Error()) // a route's types can't be described: a mistake in this package
	}
	mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/vnd.oai.openapi+json;version=3.1")
		_, _ = w.Write(spec)
	})
}
