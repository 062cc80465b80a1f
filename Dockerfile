# A server with the voice that ships inside; it needs no network and no GPU.
#   docker build -t latentspeech .
#   docker run -p 8000:8000 -v voices:/voices latentspeech
FROM python:3.11-slim AS build
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY latentspeech latentspeech
COPY latentvision latentvision
COPY recipes recipes
RUN python -m venv /app \
 && /app/bin/pip install --no-cache-dir -c constraints.txt '.[serve]'

FROM python:3.11-slim
RUN useradd --system --uid 10001 --home-dir /voices speaker \
 && mkdir /voices && chown speaker /voices
COPY --from=build /app /app
ENV PATH=/app/bin:$PATH PYTHONUNBUFFERED=1 OMP_NUM_THREADS=1
USER speaker
VOLUME /voices
EXPOSE 8000 10200
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/ready', timeout=4)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["latentspeech", "serve", "--host", "0.0.0.0", "--voices-dir", "/voices"]
CMD ["--wyoming-port", "10200"]
