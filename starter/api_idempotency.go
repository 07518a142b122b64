package starter

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"scrip.dev/scrip/store"
)

const (
	idempotencyHeader = "Idempotency-Key"
	maxIdempotencyKey = 200

	// Metadata of operations.
	idempotentRoute = "idempotent"   // takes an Idempotency-Key
	secretAnswer    = "secretAnswer" // its answer is not kept

	// memoryBody is how much of a body is kept in memory while its hash is
	// worked out; longer ones go through a file.
	memoryBody = 1 << 20
)

// idempotent answers a request that comes again under its Idempotency-Key as the
// first one was answered, without doing it again.
func (a *api) idempotent(ctx huma.Context, next func(huma.Context)) {
	op, key := ctx.Operation(), ctx.Header(idempotencyHeader)
	if key == "" || op.Metadata[idempotentRoute] != true {
		next(ctx)
		return
	}
	if len(key) > maxIdempotencyKey {
		a.refuse(ctx, problem(http.StatusUnprocessableEntity, "bad_idempotency_key", "an Idempotency-Key has at most %d letters", maxIdempotencyKey))
		return
	}
	r, w := humago.Unwrap(ctx)
	body, sum, err := replayable(r.Body, max(op.MaxBodyBytes, memoryBody))
	if err != nil {
		a.refuse(ctx, err)
		return
	}
	defer body.Close()
	claim := store.Idempotent{APIKeyID: keyOf(ctx.Context()).ID, Key: key, Route: op.Method + " " + op.Path, Body: requestSum(r, sum)}
	first, err := a.Store.Begin(ctx.Context(), claim)
	switch {
	case errors.Is(err, store.ErrIdempotencyMismatch):
		err = problem(http.StatusUnprocessableEntity, "idempotency_key_reused", "this Idempotency-Key was used for another request; use a new one for each request")
	case errors.Is(err, store.ErrIdempotencyBusy):
		err = errKeyBusy()
	}
	if err != nil {
		a.refuse(ctx, err)
		return
	}
	if first != nil {
		replay(w, *first)
		return
	}
	again := r.WithContext(ctx.Context())
	again.Body = body
	kept := &keptAnswer{recorder: recorder{ResponseWriter: w, status: http.StatusOK}}
	defer a.finish(claim, kept, op.Metadata[secretAnswer] == true)
	defer a.renew(claim)()
	next(huma.WithContext(humago.NewContext(op, again, kept), context.WithValue(ctx.Context(), claimKey{}, claim)))
	kept.complete = true
}

func errKeyBusy() *Problem {
	return problem(http.StatusConflict, "idempotency_key_busy", "the first request with this Idempotency-Key is still under way; ask again in a moment").with("Retry-After", "1")
}

// claimKey is under which a request's context has its Idempotency-Key's claim.
type claimKey struct{}

// once does in one transaction what a request asks for, and keeps its answer in the
// same one: where the process dies before it has answered, the request comes again
// and isn't done again.
func (a *api) once(ctx context.Context, out accepted, do func(*store.Tx) error) (*answer[accepted], error) {
	err := a.Store.InTx(ctx, func(tx *store.Tx) error {
		if err := do(tx); err != nil {
			return err
		}
		claim, ok := ctx.Value(claimKey{}).(store.Idempotent)
		if !ok {
			return nil
		}
		text, err := json.Marshal(out)
		if err != nil {
			return fmt.Errorf("encoding an answer: %w", err)
		}
		done, err := a.Store.Finish(ctx, tx, claim, store.Answered{Status: http.StatusAccepted, Body: text})
		if err == nil && !done {
			err = errKeyBusy() // this process was taken for dead: another has done it
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return reply(out)
}

// requestSum is what makes two requests the same: address and body. The address is
// kept as part of a hash only, as it may hold a code.
func requestSum(r *http.Request, body []byte) []byte {
	sum := sha256.Sum256(append([]byte(r.URL.RequestURI()+"\x00"), body...))
	return sum[:]
}

// keptAnswer passes an answer on and keeps a copy.
type keptAnswer struct {
	recorder
	body     bytes.Buffer
	complete bool // the handler returned: it didn't panic
}

func (k *keptAnswer) Write(b []byte) (int, error) {
	k.body.Write(b)
	return k.recorder.Write(b)
}

// renew keeps the key of a long request, as an import is, from being taken for
// abandoned, until the function that it returns is called.
func (a *api) renew(claim store.Idempotent) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		every := time.NewTicker(store.RenewEvery)
		defer every.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-every.C:
				if err := a.Store.Renew(ctx, claim); err != nil && ctx.Err() == nil {
					a.Log.Warn("renewing an idempotency key failed", "error", err)
				}
			}
		}
	}()
	return cancel
}

// finish keeps the answer, or frees the key where the request had no effect and
// is worth another try.
func (a *api) finish(claim store.Idempotent, kept *keptAnswer, secret bool) {
	// The caller may be gone by now; the answer is kept for when it comes back.
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var err error
	switch {
	case !kept.complete || kept.status >= http.StatusInternalServerError || kept.status == http.StatusTooManyRequests:
		err = a.Store.Abandon(ctx, claim)
	case secret && kept.status < http.StatusBadRequest:
		_, err = a.Store.Finish(ctx, a.Store.Pool, claim, store.Answered{Status: http.StatusConflict})
	default:
		_, err = a.Store.Finish(ctx, a.Store.Pool, claim, store.Answered{Status: kept.status, Body: kept.body.Bytes()})
	}
	if err != nil {
		a.Log.Error("keeping an idempotent answer failed", "error", err)
	}
}

func replay(w http.ResponseWriter, first store.Answered) {
	w.Header().Set("Idempotent-Replayed", "true")
	if len(first.Body) == 0 && first.Status == http.StatusConflict {
		writeProblem(w, problem(http.StatusConflict, "shown_once", "the first request with this Idempotency-Key succeeded, and its answer held a secret that is shown once; revoke what it made and create another"))
		return
	}
	kind := "application/json"
	if first.Status >= http.StatusBadRequest {
		kind = "application/problem+json"
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(first.Status)
	_, _ = w.Write(first.Body)
}

// replayable reads a body, at most limit bytes, and gives it to be read again
// together with its SHA-256.
func replayable(body io.ReadCloser, limit int64) (io.ReadCloser, []byte, error) {
	defer body.Close()
	hash := sha256.New()
	limited := io.TeeReader(io.LimitReader(body, limit+1), hash)
	var memory bytes.Buffer
	n, err := io.CopyN(&memory, limited, memoryBody)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, nil, brokenBody(err)
	}
	if n < memoryBody {
		return io.NopCloser(&memory), hash.Sum(nil), nil
	}
	arriving := &arrivingBody{Reader: limited}
	file, err := os.CreateTemp("", "scrip-body-*")
	if err != nil {
		return nil, nil, fmt.Errorf("setting a body aside: %w", err)
	}
	spooled := &spooledBody{file}
	more, err := io.Copy(file, io.MultiReader(&memory, arriving))
	switch {
	case arriving.err != nil:
		err = brokenBody(arriving.err)
	case err != nil:
		err = fmt.Errorf("setting a body aside: %w", err)
	case more > limit:
		known := frameworkCodes[http.StatusRequestEntityTooLarge]
		err = problem(http.StatusRequestEntityTooLarge, known.code, "%s", known.detail)
	default:
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		spooled.Close()
		return nil, nil, err
	}
	return spooled, hash.Sum(nil), nil
}

// arrivingBody remembers that it was the body that failed, and not the disk.
type arrivingBody struct {
	io.Reader
	err error
}

func (b *arrivingBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}

// brokenBody tells of a body that didn't come to its end.
func brokenBody(err error) *Problem {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		known := frameworkCodes[http.StatusRequestTimeout]
		return problem(http.StatusRequestTimeout, known.code, "%s", known.detail)
	}
	return problem(http.StatusBadRequest, "malformed_request", "the body broke off; send it again")
}

// spooledBody removes its file when it is closed.
type spooledBody struct{ *os.File }

func (s *spooledBody) Close() error {
	return errors.Join(s.File.Close(), os.Remove(s.Name()))
}
