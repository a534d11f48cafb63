-- The rules for what the SQL door is asked for. They are those of core/model/creation.h, and tests/db/tasks/both_doors_test.cpp
-- and tests/fcgi/sql_door_test.cpp ask both doors the same. Each function says what is wrong, as a message that begins with the argument's name, or returns NULL.

-- Times that Postern keeps: core/time/time.h says the same.
CREATE OR REPLACE FUNCTION postern.is_time(p_time timestamptz) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT p_time BETWEEN '1970-01-01 00:00:00+00' AND '9999-12-31 23:59:59.999999+00'
$$;

-- Scheme, host, port with its colon, and path with the query; NULL: it has not the shape of a URL. The host may be none.
CREATE OR REPLACE FUNCTION postern.url_parts(p_url text) RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $$
  SELECT regexp_match(
    p_url, '^(https?)://([a-z0-9_.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?([/?](?:[!"$&-\[\]-~]|%[0-9a-f]{2})*)?(?:#[!-\[\]-~]*)?$', 'i')
$$;

-- The URL as it is kept (core/base/url.h): scheme and host in lower case, an IPv6 address in its one spelling, without a fragment
-- and the scheme's own port, and with a path. REQUIRES: nothing is wrong with it, but perhaps its length.
CREATE OR REPLACE FUNCTION postern.canonical_url(p_url text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $$
DECLARE
  parts text[] := postern.url_parts(p_url);
  scheme text := lower(parts[1]);
  host text := lower(parts[2]);
  own_port integer := CASE scheme WHEN 'https' THEN 443 ELSE 80 END;
  port integer := coalesce(substr(parts[3], 2)::integer, own_port);
BEGIN
  IF left(host, 1) = '[' THEN
    host := '[' || host(trim(host, '[]')::inet) || ']';
  END IF;
  RETURN scheme || '://' || host || CASE WHEN port = own_port THEN '' ELSE ':' || port END
         || CASE WHEN parts[4] LIKE '/%' THEN '' ELSE '/' END || coalesce(parts[4], '');
END $$;

CREATE OR REPLACE FUNCTION postern.wrong_url(p_url text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $$
DECLARE
  must constant text := 'url: must be an absolute http or https URL without userinfo, at most 2048 bytes';
  parts text[] := postern.url_parts(p_url);
  host text := lower(parts[2]);
BEGIN
  IF parts IS NULL OR octet_length(p_url) > 2048 THEN
    RETURN must;
  ELSIF substr(parts[3], 2)::integer NOT BETWEEN 1 AND 65535 THEN
    RETURN 'url: its port must be 1 to 65535';
  ELSIF left(host, 1) = '[' THEN
    BEGIN
      IF family(trim(host, '[]')::inet) <> 6 THEN
        RETURN must || '; what stands in brackets is not an IPv6 address';
      END IF;
    EXCEPTION WHEN data_exception THEN
      RETURN must || '; what stands in brackets is not an IPv6 address';
    END;
  ELSIF length(host) > 253 OR host !~ '^([^.]{1,63}\.)*[^.]{1,63}$' THEN
    RETURN 'url: its host must have at most 253 bytes, in labels of 1 to 63';
  ELSIF host ~ '(^|\.)([0-9]+|0x[0-9a-f]*)$'
        AND host !~ '^((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(\.|$)){4}$' THEN
    RETURN 'url: its host looks like an IPv4 address but is not four decimal numbers without leading zeros';
  END IF;
  RETURN CASE WHEN octet_length(postern.canonical_url(p_url)) > 2048 THEN must END;
END $$;

-- As deep as core/base/json.h permits it in the body of a request, whose own object is one of the 64 levels.
CREATE OR REPLACE FUNCTION postern.wrong_payload(p_payload jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $$
BEGIN
  IF jsonb_typeof(p_payload) <> 'object' THEN
    RETURN 'payload: must be a JSON object';
  ELSIF jsonb_path_exists(p_payload, 'strict $.**{63} ? (@.type() == "object" || @.type() == "array")') THEN
    RETURN 'payload: must be nested at most 63 levels deep';
  END IF;
  RETURN NULL;
END $$;

-- Names that the connection or Postern itself sets; with "_" for "-", too, because many receivers read both as one.
CREATE OR REPLACE FUNCTION postern.wrong_headers(p_headers jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $$
DECLARE
  reserved constant text[] := '{host,content-length,transfer-encoding,connection,te,expect,upgrade,trailer,keep-alive,http2-settings}';
  h record;
  folded text;
  names text[] := '{}';
  total bigint := 0;
BEGIN
  IF jsonb_typeof(p_headers) <> 'object' OR jsonb_path_exists(p_headers, '$.* ? (@.type() != "string")') THEN
    RETURN 'headers: must be an object of strings';
  END IF;
  FOR h IN SELECT key AS name, value FROM jsonb_each_text(p_headers) LOOP
    folded := regexp_replace(lower(h.name), '[^a-z0-9]', '-', 'g');
    IF h.name !~ '^[0-9A-Za-z!#$%&''*+.^_`|~-]+$' OR octet_length(h.name) > 256 THEN
      RETURN 'headers: a name must be 1 to 256 letters, digits or any of !#$%&''*+-.^_`|~';
    ELSIF folded = ANY(reserved) OR folded ~ '^(proxy|webhook|postern|aj|x-asyncqueue)-' THEN
      RETURN format('headers: %s is set by the connection or by Postern; it must be left out', h.name);
    ELSIF h.value ~ '[\u0001-\u0008\u000a-\u001f\u007f]' OR octet_length(h.value) > 4096 THEN
      RETURN format('headers: the value of %s must have no control bytes but tabs, and at most 4096 bytes', h.name);
    ELSIF lower(h.name) = ANY(names) THEN
      RETURN format('headers: %s must be given once', h.name);
    END IF;
    names := names || lower(h.name);
    total := total + octet_length(h.name) + octet_length(h.value);
  END LOOP;
  IF cardinality(names) > 50 OR total > 8192 THEN
    RETURN 'headers: must be at most 50, and 8192 bytes together';
  END IF;
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION postern.wrong_retry_policy(p_policy text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $$
DECLARE
  must constant text := 'retry_policy: must be exponential, linear, fixed, none, standard, default, 10m, 1h, 1m, '
                        '{"intervals": [1 to 100 numbers of seconds, 0 to 2592000], "jitter": 0 to 1} or the like';
  policy jsonb;
BEGIN
  IF p_policy IN ('none', 'exponential', 'taskmq-exponential', 'linear', 'fixed', 'taskmq-fixed', 'standard', 'default',
                  '10m', '1h', '1m') THEN
    RETURN NULL;
  ELSIF p_policy NOT LIKE '{%' THEN
    RETURN must;
  END IF;
  policy := p_policy::jsonb;
  IF (SELECT count(*) FROM json_object_keys(p_policy::json)) > (SELECT count(*) FROM jsonb_object_keys(policy))
     OR policy - '{intervals,jitter}'::text[] <> '{}'
     OR jsonb_typeof(policy -> 'intervals') IS DISTINCT FROM 'array'
     OR jsonb_array_length(policy -> 'intervals') NOT BETWEEN 1 AND 100
     OR jsonb_path_exists(policy -> 'intervals', 'strict $[*] ? (@.type() != "number")')
     OR jsonb_typeof(policy -> 'jitter') <> 'number' THEN
    RETURN must;
  -- Numbers are kept as doubles: one that is none, for being too small, raises an error.
  ELSIF EXISTS (SELECT FROM jsonb_array_elements_text(policy -> 'intervals') s WHERE s::double precision NOT BETWEEN 0 AND 2592000)
        OR (policy ->> 'jitter')::double precision NOT BETWEEN 0 AND 1 THEN
    RETURN must;
  END IF;
  RETURN NULL;
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
  RETURN must;
END $$;

CREATE OR REPLACE FUNCTION postern.wrong_content_type(p_type text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $$
BEGIN
  IF p_type <> '' AND (octet_length(p_type) > 256
                       OR p_type !~ '^[0-9A-Za-z!#$&^_.+-]+/[0-9A-Za-z!#$&^_.+-]+([; ][ -~]*)?$') THEN
    RETURN 'content_type: must be a media type such as "text/plain; charset=utf-8", in ASCII, of at most 256 bytes';
  END IF;
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION postern.wrong_tags(p_tags text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on AS $$
BEGIN
  IF array_ndims(p_tags) > 1 OR cardinality(p_tags) > 16 THEN
    RETURN 'tags: must be a list of at most 16';
  ELSIF EXISTS (SELECT FROM unnest(p_tags) tag WHERE (tag ~ '^[!-+\x2d-~]{1,64}$') IS NOT TRUE) THEN
    RETURN 'tags: a tag must be 1 to 64 printable ASCII characters without space or comma';
  END IF;
  RETURN NULL;
END $$;
