"""/v1/audio/voices: the voices that ship and those that clients have stored."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, File, Form, UploadFile
from starlette.concurrency import run_in_threadpool

from latentspeech.core.errors import InputError
from latentspeech.server.http.clients import client_of
from latentspeech.server.http.speech_requests import check_text
from latentspeech.server.server import Server
from latentspeech.server.voices.library import VoiceExistsError, check_name


def voice_routes(server: Server) -> APIRouter:
    """Makes the routes of a server."""
    check = Depends(client_of(server))
    router = APIRouter(tags=["voices"], dependencies=[check])

    @router.get("/v1/audio/voices")
    def voices() -> dict[str, Any]:
        """List the voices."""
        stored = server.voices.stored()
        names = [*server.voices.builtin, *(voice.name for voice in stored)]
        return {
            "voices": names,
            "default_voice": server.default_voice if names else None,
            "aliases": server.config.aliases,
            "uploaded_voices": [asdict(voice) for voice in stored],
        }

    @router.post("/v1/audio/voices", status_code=201)
    async def add(
        audio_sample: Annotated[UploadFile, File(description="recording, 0.5 s to 10 min")],
        name: Annotated[str, Form(description="name of the new voice")],
        consent: Annotated[str, Form(max_length=1024, description="who agreed, and how")],
        ref_text: Annotated[str | None, Form(max_length=4096)] = None,
    ) -> dict[str, Any]:
        """Store the voice of a recording, whose speaker has agreed."""
        check_name(name)
        if name in server.voices.builtin or any(one.name == name for one in server.voices.stored()):
            raise VoiceExistsError(f"a voice {name!r} exists already; take another name")
        try:
            check_text(consent + (ref_text or ""))
        except ValueError as error:
            raise InputError(str(error)) from None
        made = await server.uploads.voice(await audio_sample.read(), ref_text)
        stored = await run_in_threadpool(server.voices.add, name, made.prompt, consent)
        return {"success": True, "voice": asdict(stored), "notes": made.notes}

    @router.delete("/v1/audio/voices/{name}")
    def remove(name: str) -> dict[str, Any]:
        """Delete a stored voice."""
        server.voices.remove(name)
        return {"success": True, "message": f"the voice {name!r} is deleted"}

    return router
