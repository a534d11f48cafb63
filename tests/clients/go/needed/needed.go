// Package needed names what generated code imports, so that it is in go.mod and fetched beforehand.
package needed

import _ "github.com/oapi-codegen/runtime"
