package starter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"scrip.dev/scrip/config"
	"scrip.dev/scrip/store"
)

// Problem is every error of the API (RFC 9457). Code is stable; Detail is a
// sentence that says what to do. Neither repeats what was sent.
type Problem struct {
	Type   string         `json:"type" doc:"always about:blank; code tells problems apart"`
	Title  string         `json:"title" doc:"the status in words"`
	Status int            `json:"status"`
	Code   string         `json:"code" doc:"stable: what a program decides on" example:"not_found"`
	Detail string         `json:"detail" doc:"what happened and what to do, for people"`
	Errors []FieldProblem `json:"errors,omitempty" doc:"each thing that is wrong with the request"`

	header http.Header
}

// FieldProblem is one thing that is wrong with a request.
type FieldProblem struct {
	Location string `json:"location,omitempty" doc:"where: body.email, query.limit, campaigns/x.yaml:7:3"`
	Message  string `json:"message"`
}

func (p *Problem) Error() string             { return p.Code + ": " + p.Detail }
func (p *Problem) GetStatus() int            { return p.Status }
func (p *Problem) GetHeaders() http.Header   { return p.header }
func (p *Problem) ContentType(string) string { return "application/problem+json" }

func problem(status int, code, format string, args ...any) *Problem {
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Code: code, Detail: fmt.Sprintf(format, args...)}
}

// with adds a header to the answer.
func (p *Problem) with(name, value string) *Problem {
	if p.header == nil {
		p.header = http.Header{}
	}
	p.header.Set(name, value)
	return p
}

// codes of the problems that the framework finds.
var frameworkCodes = map[int]struct{ code, detail string }{
	http.StatusBadRequest:            {"malformed_request", "the request could not be read; send it as the documentation at /docs shows"},
	http.StatusNotFound:              {"no_such_route", "there is nothing at this address; /docs lists what there is"},
	http.StatusMethodNotAllowed:      {"wrong_method", "the address doesn't take this method; /docs lists what it takes"},
	http.StatusNotAcceptable:         {"not_acceptable", "answers are JSON; leave the Accept header out or allow application/json"},
	http.StatusRequestTimeout:        {"body_timeout", "the body came too slowly; send it again"},
	http.StatusRequestEntityTooLarge: {"body_too_large", "the body is larger than this route takes; send it in several requests"},
	http.StatusUnsupportedMediaType:  {"unsupported_media_type", "the Content-Type isn't one that this route reads; /docs names those it does"},
	http.StatusUnprocessableEntity:   {"invalid_request", "the request isn't valid; errors says where"},
}

func init() {
	// Huma builds its own errors through this variable; there is no other way in.
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		known, ok := frameworkCodes[status]
		if !ok {
			known.code, known.detail = "request_failed", message
		}
		p := problem(status, known.code, "%s", known.detail)
		for _, err := range errs {
			var detailed huma.ErrorDetailer
			switch {
			case err == nil:
			case errors.As(err, &detailed):
				// The offending value is left out: it may be personal.
				d := detailed.ErrorDetail()
				p.Errors = append(p.Errors, FieldProblem{d.Location, d.Message})
			default:
				p.Errors = append(p.Errors, FieldProblem{Message: err.Error()})
			}
		}
		return p
	}
}

// problemOf decides what a caller is told of an error. What isn't known here is
// logged under the request's id and not told.
func problemOf(ctx context.Context, log *slog.Logger, err error) error {
	var already *Problem
	switch {
	case errors.As(err, &already):
		return already
	case errors.Is(err, store.ErrNotFound):
		return problem(http.StatusNotFound, "not_found", "there is no such thing here; check its name or id")
	case errors.Is(err, config.ErrNoConnection):
		return problem(http.StatusUnprocessableEntity, "no_connection", "%s", err)
	case errors.Is(err, store.ErrPoolChanged):
		return problem(http.StatusConflict, "pool_changed", "%s", err)
	case errors.Is(err, store.ErrCodeTaken):
		return problem(http.StatusConflict, "code_taken", "%s; choose another code", err)
	case errors.Is(err, store.ErrNotUnsettled):
		return problem(http.StatusConflict, "already_settled", "the message's outcome is known, or its call is under way; there is nothing to settle")
	case errors.Is(err, store.ErrNobodySends):
		return problem(http.StatusConflict, "journey_over", "nothing would send the message again: it was a test, or its journey is over or past its step; settle it as accepted or give_up")
	case errors.Is(err, store.ErrBusy):
		return problem(http.StatusServiceUnavailable, "busy", "others are using what has to be changed; nothing was changed, try again").with("Retry-After", "5")
	case store.IsDataError(err):
		log.WarnContext(ctx, "refused by the database", "request", requestID(ctx), "error", err)
		return problem(http.StatusUnprocessableEntity, "invalid_value", "a value can't be stored: it is too long, or holds characters that text can't have")
	case errors.Is(err, context.Canceled):
		return problem(499, "cancelled", "the caller went away")
	}
	log.ErrorContext(ctx, "request failed", "request", requestID(ctx), "error", err)
	return problem(http.StatusInternalServerError, "internal", "something failed on our side; try again, and if it stays look for request %s in the starter's log", requestID(ctx))
}
