package starter

import (
	"context"
	"io"
	"mime"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// maxImport is how large an import of codes may be, in bytes: ten million codes.
const maxImport = 512 << 20

// Upload is a body that is read while it comes in.
type Upload struct {
	reader io.Reader
	kind   string // media type
}

// Resolve keeps the body for the handler.
func (u *Upload) Resolve(ctx huma.Context) []error {
	u.reader = http.MaxBytesReader(nil, io.NopCloser(ctx.BodyReader()), maxImport)
	u.kind, _, _ = mime.ParseMediaType(ctx.Header("Content-Type"))
	return nil
}

// handleUpload registers a POST whose body the handler reads as it comes in. The
// body is described only afterwards: Huma reads those that it knows of into
// memory.
func handleUpload[I, O any](a *api, scope string, o huma.Operation, kinds []string, handler func(context.Context, *I) (*O, error)) {
	o.MaxBodyBytes = maxImport
	handle(a, scope, o, handler)
	body := &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{}}
	for _, kind := range kinds {
		body.Content[kind] = &huma.MediaType{Schema: &huma.Schema{Type: "string"}}
	}
	a.huma.OpenAPI().Paths[o.Path].Post.RequestBody = body
}
