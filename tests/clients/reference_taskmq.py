"""A server with TaskMQ's API as its documentation has it, on FastAPI, for taskmq_test.py to compare Postern with.

It keeps jobs in memory and runs none. Where the documentation leaves something open, it does what FastAPI does. The kinds
of mistakes are those of the documentation's time (pydantic 1).
"""

import datetime
import os
import typing

import jwt
import pydantic
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse

app = FastAPI()
jobs = {}  # id -> its state

# pydantic 2's words, and those that the documentation shows.
KINDS = {"missing": "value_error.missing", "json_invalid": "value_error.jsondecode"}


class Job(pydantic.BaseModel):
    payload: dict
    handler: str
    priority: int = 0
    retry_policy: typing.Literal["fixed", "exponential", "none"] = "fixed"
    scheduled_for: datetime.datetime | None = None
    interval_seconds: int | None = None


class Named(pydantic.BaseModel):
    job_id: int


@app.exception_handler(RequestValidationError)
def invalid(_: Request, error: RequestValidationError):
    return JSONResponse(status_code=422, content={"detail": [
        {"loc": list(each["loc"]), "msg": each["msg"].lower(), "type": KINDS.get(each["type"], each["type"])}
        for each in error.errors()]})


def allowed(*roles):
    def check(request: Request):
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        try:
            if scheme.lower() != "bearer":
                raise jwt.InvalidTokenError
            claims = jwt.decode(token.strip(), os.environ["TASKMQ_JWT_SECRET"], algorithms=["HS256"])
        except jwt.InvalidTokenError:
            raise HTTPException(401, "Invalid or missing token", {"WWW-Authenticate": "Bearer"}) from None
        if claims.get("role") not in roles:
            raise HTTPException(403, "Insufficient permissions")
    return Depends(check)


def job_of(named):
    if named.job_id not in jobs:
        raise HTTPException(404, "Job not found")
    return named.job_id


@app.get("/health")
def health():
    return {"status": "ok"}


@app.get("/monitor/metrics")
def metrics():
    return PlainTextResponse("# TYPE taskmq_jobs_total counter\n")


@app.post("/add-job", dependencies=[allowed("admin")])
def add_job(job: Job):
    jobs[len(jobs) + 1] = "PENDING"
    return {"status": "ok", "job_id": len(jobs)}


@app.post("/cancel", dependencies=[allowed("admin")])
def cancel(named: Named):
    job = job_of(named)
    if jobs[job] != "PENDING":  # "Only pending jobs can be cancelled"
        raise HTTPException(409, "Job is not pending")
    jobs[job] = "FAILED"
    return {"status": "cancelled", "job_id": job}


@app.post("/retry", dependencies=[allowed("admin", "worker")])
def retry(named: Named):
    job = job_of(named)
    if jobs[job] != "FAILED":  # "Retry a failed job"
        raise HTTPException(409, "Job is not failed")
    jobs[job] = "PENDING"
    return {"status": "retrying", "job_id": job}
