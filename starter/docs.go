package starter

import (
	"bytes"
	"cmp"
	_ "embed"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

//go:embed docs.html
var docsSource string

var docsPage = template.Must(template.New("docs").Parse(docsSource))

// docsView is the documentation page's content, taken from the description of the
// routes.
type docsView struct {
	URL     string // where the API is reached
	Version string
	Groups  []docsGroup
}

type docsGroup struct {
	Name   string
	Routes []docsRoute
}

type docsRoute struct {
	Method, Path, ID, Summary, Description, Scope string
	Parameters                                    []docsField
	Body                                          []docsField
	Answer                                        []docsField
	Status                                        string
	Idempotent                                    bool
}

type docsField struct {
	Name, Type, Doc string
	Required        bool
}

// serveDocs serves a page with all routes; it needs nothing from elsewhere.
func (a *api) serveDocs(mux *http.ServeMux) {
	var page bytes.Buffer
	if err := docsPage.Execute(&page, a.docs()); err != nil {
		panic("writing the documentation: " + err.Error()) // the page's template doesn't fit its content: a mistake in this package
	}
	mux.HandleFunc("GET /docs", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'")
		_, _ = w.Write(page.Bytes())
	})
}

func (a *api) docs() docsView {
	spec := a.huma.OpenAPI()
	groups := map[string][]docsRoute{}
	for path, item := range spec.Paths {
		for method, o := range map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "DELETE": item.Delete} {
			if o != nil {
				groups[o.Tags[0]] = append(groups[o.Tags[0]], docsRouteOf(spec, method, path, o))
			}
		}
	}
	view := docsView{URL: a.Config.PublicURL, Version: a.Version}
	for name, routes := range groups {
		slices.SortFunc(routes, func(x, y docsRoute) int { return cmp.Or(cmp.Compare(x.Path, y.Path), cmp.Compare(x.Method, y.Method)) })
		view.Groups = append(view.Groups, docsGroup{name, routes})
	}
	slices.SortFunc(view.Groups, func(x, y docsGroup) int { return cmp.Compare(x.Name, y.Name) })
	return view
}

func docsRouteOf(spec *huma.OpenAPI, method, path string, o *huma.Operation) docsRoute {
	route := docsRoute{Method: method, Path: path, ID: o.OperationID, Summary: o.Summary, Description: o.Description, Scope: scopeOf(o), Idempotent: o.Metadata[idempotentRoute] == true}
	for _, p := range o.Parameters {
		if p.Name != idempotencyHeader {
			route.Parameters = append(route.Parameters, docsField{p.Name, p.In + ", " + docsType(spec, p.Schema), cmp.Or(p.Description, p.Schema.Description), p.Required})
		}
	}
	if o.RequestBody != nil {
		route.Body = docsBody(spec, o.RequestBody.Content)
	}
	for status, response := range o.Responses {
		if strings.HasPrefix(status, "2") {
			route.Status, route.Answer = status, docsBody(spec, response.Content)
		}
	}
	return route
}

func docsBody(spec *huma.OpenAPI, content map[string]*huma.MediaType) []docsField {
	media, ok := content["application/json"]
	if !ok || media.Schema == nil {
		return nil
	}
	schema := docsResolve(spec, media.Schema)
	if len(schema.OneOf) > 0 {
		schema = docsResolve(spec, schema.OneOf[0])
	}
	fields := make([]docsField, 0, len(schema.Properties))
	for name, property := range schema.Properties {
		if strings.HasPrefix(name, "$") {
			continue
		}
		resolved := docsResolve(spec, property)
		fields = append(fields, docsField{name, docsType(spec, property), cmp.Or(property.Description, resolved.Description), slices.Contains(schema.Required, name)})
	}
	slices.SortFunc(fields, func(x, y docsField) int {
		if x.Required != y.Required {
			return map[bool]int{true: -1, false: 1}[x.Required]
		}
		return cmp.Compare(x.Name, y.Name)
	})
	return fields
}

func docsResolve(spec *huma.OpenAPI, schema *huma.Schema) *huma.Schema {
	if schema.Ref != "" {
		return spec.Components.Schemas.SchemaFromRef(schema.Ref)
	}
	return schema
}

func docsType(spec *huma.OpenAPI, schema *huma.Schema) string {
	schema = docsResolve(spec, schema)
	kind := schema.Type
	if schema.Type == "array" && schema.Items != nil {
		kind = "list of " + docsType(spec, schema.Items)
	}
	if schema.Format != "" && schema.Type == "string" {
		kind = schema.Format
	}
	if len(schema.Enum) > 0 {
		words := make([]string, len(schema.Enum))
		for i, word := range schema.Enum {
			words[i], _ = word.(string)
		}
		kind = strings.Join(words, " | ")
	}
	return cmp.Or(kind, "any")
}
