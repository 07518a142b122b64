package codec

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"slices"
	"time"

	"go.temporal.io/sdk/converter"
)

const (
	// maxBody is more than Temporal lets one message have, in the base64 of JSON.
	maxBody     = 8 << 20
	bodyTimeout = 10 * time.Second
	// corsFor is how long a browser may go by an answer about what is allowed.
	corsFor = "600"
)

// ServerOptions say whom the server decrypts for.
type ServerOptions struct {
	Codec *Codec
	// Token is what callers show as `Authorization: Bearer …`; empty: nothing is
	// asked for, and only this machine may be able to call.
	Token string
	// Origins are the addresses of Temporal's UI, whose pages may call from a
	// browser: scheme, host and port, nothing after it.
	Origins []string
}

// Server decrypts payloads for Temporal's UI and CLI and encrypts what they send:
// POST /encode and /decode, as Temporal's remote codecs do. It reads every payload
// there is, so it answers no page but the UI's and, with a token, nobody without.
func Server(o ServerOptions) http.Handler {
	mux := http.NewServeMux()
	remote := o.authorised(bounded(converter.NewPayloadCodecHTTPHandler(o.Codec)))
	for _, path := range []string{"/encode", "/decode"} {
		mux.Handle("POST "+path, remote)
		mux.HandleFunc("OPTIONS "+path, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	}
	return o.forOrigins(mux)
}

// forOrigins refuses what a browser sends on behalf of another page than the UI. A
// browser names the page with every POST, also with one that was made to look as
// if it went to the page's own host.
func (o ServerOptions) forOrigins(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Cache-Control", "no-store")
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Vary", "Origin")
		if origin := r.Header.Get("Origin"); origin != "" {
			if !slices.Contains(o.Origins, origin) {
				http.Error(w, "this page may not decrypt payloads; name the UI's address in codec.origins", http.StatusForbidden)
				return
			}
			header.Set("Access-Control-Allow-Origin", origin)
			header.Set("Access-Control-Allow-Credentials", "true")
			header.Set("Access-Control-Allow-Methods", "POST")
			header.Set("Access-Control-Allow-Headers", "Authorization, Authorization-Extras, Content-Type, X-Namespace")
			header.Set("Access-Control-Max-Age", corsFor)
		}
		next.ServeHTTP(w, r)
	})
}

func (o ServerOptions) authorised(next http.Handler) http.Handler {
	expected := sha256.Sum256([]byte("Bearer " + o.Token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given := sha256.Sum256([]byte(r.Header.Get("Authorization")))
		if o.Token != "" && subtle.ConstantTimeCompare(given[:], expected[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "the token is missing or wrong; send codec.token as Authorization: Bearer …", http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func bounded(next http.Handler) http.Handler {
	return http.MaxBytesHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// Not every writer has deadlines; those of a real server do.
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
		next.ServeHTTP(w, r)
	}), maxBody)
}
