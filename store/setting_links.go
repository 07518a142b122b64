package store

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
)

// ErrBadToken says that an unsubscribe link is not one of ours.
var ErrBadToken = errors.New("the link is damaged or not ours")

// UnsubscribeToken makes the last part of an unsubscribe address: which contact
// and channel it is for, signed. It never expires, as mail is kept for years.
func (s *Store) UnsubscribeToken(ctx context.Context, contactID, channel string) (string, error) {
	key, err := s.SigningKey(ctx)
	if err != nil {
		return "", err
	}
	return writeLink(key, contactID, channel), nil
}

// ReadUnsubscribeToken gives the contact and channel of a link, or ErrBadToken.
func (s *Store) ReadUnsubscribeToken(ctx context.Context, token string) (contactID, channel string, err error) {
	key, err := s.SigningKey(ctx)
	if err != nil {
		return "", "", err
	}
	return readLink(key, token)
}

func writeLink(key []byte, contactID, channel string) string {
	subject := contactID + "." + channel
	return base64.RawURLEncoding.EncodeToString(append(signLink(key, subject), subject...))
}

func readLink(key []byte, token string) (contactID, channel string, err error) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) <= linkMAC || len(raw) > 200 {
		return "", "", ErrBadToken
	}
	subject := string(raw[linkMAC:])
	if !hmac.Equal(raw[:linkMAC], signLink(key, subject)) {
		return "", "", ErrBadToken
	}
	contactID, channel, ok := strings.Cut(subject, ".")
	if !ok {
		return "", "", ErrBadToken
	}
	return contactID, channel, nil
}

// linkMAC is the length in bytes of the signature in a link.
const linkMAC = 16

func signLink(key []byte, subject string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("unsubscribe\x00" + subject))
	return mac.Sum(nil)[:linkMAC]
}
