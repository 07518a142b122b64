package codec

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
)

// keySize is AES-256's, in bytes.
const keySize = 32

var keyID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$`)

// Key is one of the keys that payloads are encrypted with.
type Key struct {
	id   string
	aead cipher.AEAD
}

// NewKey makes a key from its id, which stands in clear text beside every payload,
// and its secret, which is base64 of 32 random bytes (openssl rand -base64 32).
// The error never repeats the secret.
func NewKey(id, secret string) (Key, error) {
	if !ValidID(id) {
		return Key{}, errors.New("a key's id is up to 40 letters, digits, - and _, and begins with a letter or a digit")
	}
	raw, err := base64.StdEncoding.DecodeString(secret)
	if err != nil {
		return Key{}, errors.New("is not base64; make a key with: openssl rand -base64 32")
	}
	if len(raw) != keySize {
		return Key{}, fmt.Errorf("is %d bytes long, and has to be %d; make a key with: openssl rand -base64 32", len(raw), keySize)
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return Key{}, fmt.Errorf("making a payload key: %w", err)
	}
	// Each payload gets a random nonce, which precedes its ciphertext. That is safe
	// for 2^32 payloads under one key; the documentation says when to change it.
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return Key{}, fmt.Errorf("making a payload key: %w", err)
	}
	return Key{id, aead}, nil
}

// ValidID says whether a word may name a key.
func ValidID(id string) bool { return keyID.MatchString(id) }
