package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"scrip.dev/scrip/config"
	"scrip.dev/scrip/store"
)

type keyRow struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Prefix    string     `json:"prefix"`
	Scopes    []string   `json:"scopes"`
	CreatedAt time.Time  `json:"created_at"`
	RevokedAt *time.Time `json:"revoked_at,omitempty"`
	Secret    string     `json:"secret,omitempty"`
}

func keyRowOf(k store.APIKey, secret string) keyRow {
	return keyRow{k.ID, k.Name, k.Prefix, k.Scopes, k.CreatedAt, k.RevokedAt, secret}
}

// keyCommand works on the database where one is named, as the first key can't be
// made through an API that asks for one, and else through the API.
func (a *app) keyCommand() *cobra.Command {
	var scopes []string
	create := &cobra.Command{Use: "create NAME", Short: "Create an API key; it is shown once", Args: needs("a name that says what it is for"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.keys(cmd.Context(), request{method: "POST", path: "/v1/keys", body: map[string]any{"name": args[0], "scopes": scopes}}, func(ctx context.Context, s *store.Store) (any, error) {
				return a.createKey(ctx, s, args[0], scopes)
			}, func(w io.Writer, answer []byte) error {
				return printed(answer, func(key keyRow) {
					fmt.Fprintln(w, key.Secret)
					fmt.Fprintf(a.err, "%s, with %s. Keep it well: it is not shown again.\n", key.ID, strings.Join(key.Scopes, ", "))
				})
			})
		}}
	create.Flags().StringSliceVar(&scopes, "scope", []string{store.ScopeRead}, "what it may do: "+strings.Join(store.Scopes, ", "))
	list := &cobra.Command{Use: "list", Short: "List API keys", Args: noArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return a.keys(cmd.Context(), request{method: "GET", path: "/v1/keys"}, listKeys, func(w io.Writer, answer []byte) error {
			return printed(answer, func(keys page[keyRow]) {
				var rows [][]string
				for _, key := range keys.Items {
					rows = append(rows, []string{key.ID, key.Name, key.Prefix + "…", strings.Join(key.Scopes, ", "), moment(key.CreatedAt), maybe(key.RevokedAt)})
				}
				table(w, "No keys yet: `scrip key create NAME`.", []string{"ID", "NAME", "KEY", "SCOPES", "CREATED", "REVOKED"}, rows)
			})
		})
	}}
	revoke := &cobra.Command{Use: "revoke ID", Short: "Revoke an API key, by its id or its first letters", Args: needs("an id"), RunE: func(cmd *cobra.Command, args []string) error {
		id := strings.TrimSuffix(args[0], "…")
		return a.keys(cmd.Context(), request{method: "POST", path: "/v1/keys/" + url.PathEscape(id) + "/revoke"}, func(ctx context.Context, s *store.Store) (any, error) {
			return revokeKey(ctx, s, id)
		}, func(w io.Writer, answer []byte) error {
			return printed(answer, func(key keyRow) { fmt.Fprintf(w, "%s (%s) is revoked.\n", key.ID, key.Name) })
		})
	}}
	return parent("key", "Create and revoke API keys, in DATABASE_URL or through the API", create, list, revoke)
}

// keys asks the database where the settings name one, else the API.
func (a *app) keys(ctx context.Context, r request, direct func(context.Context, *store.Store) (any, error), human func(io.Writer, []byte) error) error {
	named, err := a.namesDatabase()
	if err != nil {
		return err
	}
	var answer []byte
	if named {
		err = a.withStore(ctx, func(ctx context.Context, s *store.Store) error {
			done, err := direct(ctx, s)
			if err != nil {
				return err
			}
			answer, err = json.Marshal(done)
			return err
		})
	} else {
		answer, err = a.call(ctx, r)
	}
	var refused *apiError
	var away *unreachableError
	switch {
	case !named && ((errors.As(err, &refused) && refused.Status < 404) || errors.As(err, &away)):
		return fmt.Errorf("%w\nKeys are managed with an admin key, or where DATABASE_URL names the database", err)
	case err != nil:
		return err
	case a.json:
		_, err = fmt.Fprintln(a.out, strings.TrimSpace(string(answer)))
		return err
	}
	return human(a.out, answer)
}

// namesDatabase says whether the environment or scrip.yaml names a database.
func (a *app) namesDatabase() (bool, error) {
	c, err := config.Load(a.project, config.WithoutSecrets(a.env))
	var problems config.Problems
	if err != nil && !errors.As(err, &problems) {
		return false, err
	}
	return !c.Database.URL.Empty(), nil
}

func (a *app) createKey(ctx context.Context, s *store.Store, name string, scopes []string) (any, error) {
	key, secret, err := s.NewKey(ctx, name, scopes)
	if err != nil {
		return nil, err
	}
	return keyRowOf(key, secret), store.Audit(ctx, s.Pool, "cli", "key.create", key.ID, map[string]any{"scopes": key.Scopes})
}

func listKeys(ctx context.Context, s *store.Store) (any, error) {
	keys, err := s.Keys(ctx)
	out := page[keyRow]{Items: []keyRow{}}
	for _, key := range keys {
		out.Items = append(out.Items, keyRowOf(key, ""))
	}
	return out, err
}

func revokeKey(ctx context.Context, s *store.Store, id string) (any, error) {
	key, err := s.RevokeKey(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("there is no key %s; `scrip key list` shows them", id)
	}
	if err != nil {
		return nil, err
	}
	return keyRowOf(key, ""), store.Audit(ctx, s.Pool, "cli", "key.revoke", key.ID, nil)
}

// printed decodes an answer for people.
func printed[T any](answer []byte, human func(T)) error {
	var decoded T
	if err := json.Unmarshal(answer, &decoded); err != nil {
		return fmt.Errorf("reading the answer: %w; the running system may be of another version", err)
	}
	human(decoded)
	return nil
}
